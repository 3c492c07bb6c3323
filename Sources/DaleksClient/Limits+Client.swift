public import DaleksCore

extension Limits {
    public enum Client {
        /// Tokens are at most 8 KiB each; names and addresses are short.
        public static let credentialBytesMax = 64 << 10
        /// Times 50 ms: about as long as a slow refresh takes.
        public static let lockAttemptsMax = 200
        /// The longest an ordinary request may take, unless it carries content.
        public static let requestDeadline: Duration = .seconds(15)
        /// How long the region may take for a lease beside what it was asked to wait: programs wait for it.
        public static let leaseDeadline: Duration = .seconds(8)
        /// A chunk over a slow line: a megabyte at 32 KiB a second.
        public static let chunkDeadline: Duration = .seconds(60)
        /// A change that one request asks for: a folder of many thousands takes a while to go to the trash.
        public static let changeDeadline: Duration = .seconds(120)
        /// What one request of an upload carries: what a break costs at most, and what is in memory.
        public static let uploadBlockBytes = 8 << 20
        /// What goes along with the request that begins an upload. More is asked for first: whoever is refused while it
        /// still sends may never get to read why.
        public static let uploadUnaskedBytesMax = 256 << 10
        /// Such a block over a slow line, and the region's disk behind it.
        public static let blockDeadline: Duration = .seconds(600)
        /// A whole file; a line that is silent is noticed long before.
        public static let transferDeadline: Duration = .seconds(86_400)
        /// A batch's answer, a page of a folder.
        public static let answerBytesMax = 32 << 20
    }
}
