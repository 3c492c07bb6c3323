public import DaleksCore

extension Limits {
    /// What the server holds for strangers. The settings of a server start from these.
    public enum HTTPServer {
        /// Request line and header together. A signed token takes two kilobytes, everything else that is honest fits in
        /// the rest; each connection reserves as much.
        public static let headerBytesMax = 8 << 10

        /// One target. Longer ones are no use to any route: the longest path is 4 KiB, percent-encoded perhaps twice
        /// that, and the header limit ends it anyway.
        public static let targetBytesMax = 7 << 10

        /// What a connection's arena holds besides the request's header: libmicrohttpd's bookkeeping of fields (48
        /// bytes each) and the header of our answer.
        public static let arenaExtraBytes = 4 << 10

        /// A body for which a route gave no limit of its own: documents, not files.
        public static let bodyBytesMax: Int64 = 1 << 20

        /// A body that an event route takes: it is collected in memory before the handler runs.
        public static let eventBodyBytesMax: Int64 = 64 << 10

        /// A body that is collected in memory before a worker runs its handler: every small request of ours fits.
        public static let collectedBodyBytesMax: Int64 = 64 << 10

        /// Upload bytes between the network and a handler: two such buffers exist, one filling while one is used. Wide
        /// enough that a disk's pause does not stop the wire, narrow enough for hundreds of uploads at once.
        public static let uploadBufferBytes = 256 << 10

        /// The same on the way out.
        public static let downloadBufferBytes = 256 << 10

        /// What is asked of a source at a time: whole spans of files.
        static let downloadPieceBytes: Int64 = 1 << 20

        /// What of an answer in pieces is handed to the kernel at a time. Each such answer holds as much; smaller
        /// blocks cost more rounds of the event loop.
        public static let downloadBlockBytes = 256 << 10

        /// What of an unwanted body is read and dropped so that the client, still sending, gets to see the answer.
        /// It costs nobody any room; as much as the largest request of our own clients.
        public static let unwantedBodyBytesMax: Int64 = 16 << 20

        /// Events that a slow reader may leave unread before its feed ends: it will list again, which costs us less.
        public static let eventBacklogBytesMax = 256 << 10

        /// A parked request is answered 503 at the latest then; long polls choose far less.
        public static let parkedSecondsMax = 15 * 60

        /// Silence on an event feed until a comment is sent, so that middle boxes and dead peers are noticed.
        public static let eventHeartbeatSeconds = 15

        /// Kernel's queue of connections that wait for `accept`.
        public static let acceptBacklog: Int32 = 1_024

        /// Connections taken in one round of the watching thread, so that it comes back to its other duties.
        public static let acceptBurstMax = 256

        /// A request id that a trusted proxy may hand us.
        public static let requestIDBytesMax = 64

        /// Addresses of an X-Forwarded-For that are looked at, from the right.
        public static let forwardedHopsMax = 16

        /// A path's parameters in one pattern.
        public static let patternSegmentsMax = 32
    }
}
