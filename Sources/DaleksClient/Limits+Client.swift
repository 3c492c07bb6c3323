public import DaleksCore

extension Limits {
    public enum Client {
        /// Tokens are at most 8 KiB each; names and addresses are short.
        public static let credentialBytesMax = 64 << 10
        /// Times 50 ms: about as long as a slow refresh takes.
        public static let lockAttemptsMax = 200
        /// The longest an ordinary request may take, unless it carries content.
        public static let requestDeadline: Duration = .seconds(15)
        /// A chunk over a slow line: a megabyte at 32 KiB a second.
        public static let chunkDeadline: Duration = .seconds(60)
        /// A batch's answer, a page of a folder.
        public static let answerBytesMax = 32 << 20
    }
}
