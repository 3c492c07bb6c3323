public import DaleksCore

extension Limits {
    /// What the PostgreSQL adapter bounds, and why there.
    public enum Postgres {
        /// More connections than this make a server slower, not faster; PostgreSQL's own default for all is 100.
        public static let connectionCountMax = 90

        /// Callers that wait for a connection are threads. More of them than this means that the database is down or
        /// far too slow, and another waiter helps nobody.
        public static let waitingCountMax = 1_024

        /// Prepared statements kept in each connection; each costs the server some ten kilobytes. A program has a
        /// hundred or two, so that nothing in use is ever thrown out.
        public static let statementCountMax = 256

        /// The protocol counts parameters in 16 bits.
        public static let parameterCountMax = 65_535

        /// All parameters of one statement together. The server refuses a message of 1 GiB; far below that a batch
        /// should have been two.
        public static let parameterBytesMax = 64 << 20

        /// A statement's text. The server parses it on our behalf, and ours are all written by hand.
        public static let statementBytesMax = 1 << 20

        /// Statements sent in one go; their answers are held in memory until the last has come.
        public static let batchCountMax = 1_000

        /// Elements of one array that came from the server: what fits into the 1 GiB that it can send, no more.
        public static let elementCountMax = 1 << 27

        /// NAMEDATALEN - 1: the server would cut a longer name and listen to another channel.
        public static let channelBytesMax = 63

        /// The server refuses a notification's payload of 8,000 bytes.
        public static let payloadBytesMax = 7_999

        /// How long a server that was told to cancel a statement may take to say so before it counts as lost.
        public static let cancelGrace = Duration.seconds(2)

        /// Rolling back and cleaning up; a server that needs longer is cut off, which rolls back as well.
        public static let cleanUpTimeout = Duration.seconds(5)

        /// A whole migration with its wait for another process that migrates. Rewriting a large table takes long, and
        /// interrupting it at every start would never finish it.
        public static let migrationTimeout = Duration.seconds(3_600)

        /// The pause before a transaction's second attempt is drawn from this long, and doubles with each attempt.
        public static let retryDelayFirst = Duration.milliseconds(2)

        /// Longer pauses only make latency: by then the others are through.
        public static let retryDelayMax = Duration.milliseconds(250)

        /// The pause before a listener's first new connection, which doubles with each refusal.
        public static let reconnectDelayFirst = Duration.milliseconds(50)

        /// A listener finds a server that came back no later than this; asking once a second costs nobody anything.
        public static let reconnectDelayMax = Duration.seconds(1)
    }
}
