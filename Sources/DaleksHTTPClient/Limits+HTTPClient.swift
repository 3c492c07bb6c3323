public import DaleksCore

extension Limits {
    /// The HTTP client's.
    public enum HTTPClient {
        /// Exchanges accepted and not yet answered, waiting ones included: past it a caller hears so at once instead
        /// of standing in a queue that no deadline lets it see the end of.
        public static let exchangesMax = 4_096

        /// Exchanges on the wire at one time. `curl_multi_perform` walks them all, so hundreds cost nothing and tens
        /// of thousands would.
        public static let exchangesActiveMax = 256

        /// To one origin, by default: enough to fill a link with 1 MiB chunks at 100 ms, few enough to be a good guest.
        public static let connectionsPerHostMax = 16

        /// Idle connections kept for the next exchange, all origins together.
        public static let connectionsIdleMax = 64

        /// An idle connection older than this is not used again: servers and NAT boxes forget one after a minute, and
        /// a request that is sent into a forgotten one costs a retry.
        public static let connectionIdleAge = Duration.seconds(55)

        /// A connection older than this is not used again, so that a changed address or certificate gets noticed.
        public static let connectionAge = Duration.seconds(600)

        public static let connectTimeout = Duration.seconds(10)

        /// The whole exchange, its waiting and its retries: what a person waits before thinking that it hangs.
        public static let deadline = Duration.seconds(60)

        /// Silence in which a peer that is alive would have sent something.
        public static let idleTimeout = Duration.seconds(30)

        /// An answer's header. Servers limit a request's to 8…32 KiB; answers of ours stay under 2 KiB.
        public static let headerBytesMax = 64 << 10
        public static let headerFieldsMax = 200

        /// A URL. Servers refuse longer ones, 8 KiB is what most take.
        public static let urlBytesMax = 16 << 10

        /// An answer kept in memory when the caller named no maximum: some chunks, or a long page of children.
        public static let bodyBytesDefault = 16 << 20

        /// What a refusal says beside a sink: a problem document. The rest is not read.
        public static let refusalBytesMax = 64 << 10

        /// Bytes of one answer that wait for its sink; past it the peer is made to wait.
        public static let sinkBufferBytes = 512 << 10

        /// Bytes of a body fetched from its file or closure at a time; two such buffers exist for each upload.
        public static let sourceBufferBytes = 256 << 10

        /// What libcurl reads from a socket at a time.
        public static let receiveBufferBytes = 128 << 10

        /// Up to here a body is sent in one packet train with its header. libcurl copies it, and above 64 KiB would not
        /// join the two anyway.
        public static let inlineBodyBytesMax = 48 << 10

        /// Full jitter draws from nought to the base doubled at each attempt, up to the maximum.
        public static let retryDelayBase = Duration.milliseconds(100)
        public static let retryDelayMax = Duration.seconds(5)

        /// A Retry-After above it is not waited for: the caller gets the answer and can decide.
        public static let retryAfterMax = Duration.seconds(60)

        /// Attempts of one exchange, whatever a caller asks for.
        public static let attemptsMax = 16

        /// Redirects of one exchange, whatever a caller asks for.
        public static let redirectsMax = 10

        /// A stale pooled connection is found out by sending. So many times it is not the caller's attempt.
        public static let staleConnectionsMax = 2

        /// Threads that run sinks, sources and completions. They may block; more than so many at once wait.
        public static let callbackThreadsMax = 8

        // Where the line is limited (`LineLimit`):

        /// The least that goes at a time, a packet's train; so much of each body may go ahead of what is large.
        static let limitedPieceBytes = 4 << 10
        static let limitedBeginningBytes = 16 << 10

        /// How far ahead of the rate the beginnings of bodies may come.
        static let limitDebtSeconds = 2.0

        /// How soon a changed rate is noticed.
        static let limitLookPeriod = Duration.milliseconds(100)

        /// Below it requests that carry much go one by one: two would be so slow that servers end them.
        static let limitSlowRate: Int64 = 256 << 10

        /// The lowest rate: a block of 8 MiB takes nine minutes, and no server takes us for dead.
        public static let limitRateMin: Int64 = 16 << 10

        /// libcurl handles kept for reuse; making one costs some 8 of a small request's 40 µs.
        public static let handlesKeptMax = 64
    }
}
