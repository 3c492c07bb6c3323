public import DaleksCore

extension Limits {
    /// What the files service allows itself and its callers.
    public enum Files {
        /// Spans in one page of a manifest: a changed span of a large file rewrites about 2 KiB and recounts this many
        /// chunks, and a file of 100 GiB still lists no more than 1,600 pages.
        static let manifestPageSpanCount = 64

        /// A manifest of one page with no more spans than this is kept in its own row: most files are small.
        static let manifestInlineSpanCountMax = 8

        /// Pages of one manifest: 16 TiB of content. Its row, which every commit writes anew, stays under 4 MiB.
        static let manifestPageCountMax = 262_144

        /// Names of one node, as ext4 has it.
        static let linksMax: UInt32 = 65_000

        /// Answers of a device whose digests are remembered after it took them. A machine whose journal lost its end in
        /// a power cut uses those sequences again for something else, and must hear of it.
        static let rememberedOperationCount: Int64 = 4_096

        /// Changes of a tree that are kept for those who follow it; who is further behind lists again.
        public static let feedChangeCountMax: Int64 = 1_000_000

        /// Chunks and manifests that one transaction of the collector takes: a few milliseconds of the writer's turn.
        static let collectedRowCountMax = 256

        /// A segment of the local chunk store: large enough that there are few, small enough to be moved and checked.
        public static let segmentBytesMax: Int64 = 256 << 20

        /// The body of a query for missing chunks: 4,096 digests of 67 bytes each.
        static let digestQueryBytesMax = 512 << 10

        /// Tokens remembered as checked; one takes about 200 bytes.
        static let tokenCountMax = 20_000

        /// A key set is a few keys of some hundred bytes.
        static let keySetBytesMax = 256 << 10

        /// An unknown key name asks the users service no more often than this, however many such tokens arrive.
        static let keyFetchInterval = Duration.seconds(30)

        /// Keys older than this are fetched again beside the requests, so that one that was withdrawn goes.
        static let keyRefreshInterval = Duration.seconds(300)

        /// How long one fetch of the keys may take: requests with unknown keys wait for it.
        static let keyFetchDeadline = Duration.seconds(5)

        /// Parked readers of the feed in one process; one takes about 1 KiB here besides its connection.
        static let feedWaiterCountMax = 100_000

        /// Jobs that read pages for woken readers. A whole tree's readers are one job.
        static let feedThreadCountMax = 2

        /// Connections of one process to PostgreSQL, the listener's apart: its servers commonly allow a hundred in all.
        static let postgresConnectionCountMax = 24

        /// Operations that one decision may ask for more facts before it counts as ours to repair: a deep folder asks
        /// once an ancestor, a large file once a page.
        static let factRoundCountMax = 1 << 20
    }
}
