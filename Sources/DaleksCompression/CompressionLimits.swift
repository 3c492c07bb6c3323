public import DaleksCore

extension Limits {
    /// What compressing may cost.
    public enum Compression {
        /// Larger things are cut into spans before they get here.
        public static let contentBytesMax = 64 << 20

        /// A frame's header takes up to 18 bytes: what is smaller cannot gain enough to matter.
        static let contentBytesMin = 64

        /// Levels beyond take hundreds of megabytes for their tables.
        public static let levels: ClosedRange<Int32> = 1...15

        /// Contexts kept for the next caller. Each holds up to a few megabytes; more callers than this at a time are
        /// more than the cores can serve.
        static let idleContextsMax = 8

        /// From here on, a sample is tried before the whole.
        static let probedBytesMin = 128 << 10

        /// The sample: this many pieces from all over the content…
        static let probePieces = 8

        /// …of this size each: together 32 KiB, a thirtieth of a span.
        static let probePieceBytes = 4 << 10
    }
}
