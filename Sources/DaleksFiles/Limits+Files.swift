import DaleksAPI
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

        /// Extended attributes in one page of a folder, more or less: its answer is made in memory.
        static let pageExtendedBytesMax = 4 << 20

        /// Answers of a device whose digests are remembered after it took them. A machine whose journal lost its end in
        /// a power cut uses those sequences again for something else, and must hear of it.
        static let rememberedOperationCount: Int64 = 4_096

        /// Changes of a tree that are kept for those who follow it; who is further behind lists again.
        public static let feedChangeCountMax: Int64 = 1_000_000

        /// Chunks and manifests that one transaction of the collector takes: a few milliseconds of the writer's turn.
        static let collectedRowCountMax = 256

        /// Small chunks moved out of the database in one write: enough that the barrier or the request they share
        /// does not matter, few enough that the transaction behind it holds nobody up.
        static let packBytes = 8 << 20
        static let packCountMax = 1_024

        /// How old a small chunk is before it is moved, and how often one looks: at thousands of small files a second
        /// some hundred megabytes wait in the database.
        static let packAge = Duration.seconds(30)
        static let packInterval = Duration.seconds(5)

        /// Chunks that one transaction moves out of a segment that is mostly garbage: 64 MiB at most.
        static let compactedChunkCountMax = 64

        /// A segment of the local chunk store: large enough that there are few, small enough to be moved and checked.
        public static let segmentBytesMax: Int64 = 256 << 20

        /// The body of a query for missing chunks: 4,096 digests of 67 bytes each.
        static let digestQueryBytesMax = 512 << 10

        /// Tokens remembered as checked; one takes about 200 bytes.
        static let tokenCountMax = 20_000

        /// The longest that a token may live. Ours live ten minutes, and revocations are kept for two days: one that
        /// outlived them would be believed again.
        static let tokenLifetimeMax = Duration.seconds(86_400)

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

        /// How often the readers of a region with several processes look without having been told to.
        static let feedLookInterval = Duration.seconds(20)

        /// How long a lease holds unless it is renewed, and how long its holder is told: who counts from the question
        /// on, by a clock of its own, has ended before another can begin.
        static let leaseTerm = Duration.seconds(Limits.Wire.leaseSecondsMax)
        static let leaseSecondsTold = Limits.Wire.leaseSecondsMax - 2

        /// How long a wish outlives the request that made it: whoever asks again at once keeps its place.
        static let leaseWishSlack = Duration.seconds(2)

        /// Requests parked for a lease, or for news of leases, in one process.
        static let leaseWaiterCountMax = 10_000

        /// How often those look without having been told to.
        static let leaseLookInterval = Duration.seconds(5)

        /// Threads that look for those who wait.
        static let leaseThreadCountMax = 2

        /// The body of a request that renews all leases of a device: 1,024 of some 90 bytes.
        static let leaseBytesMax = 256 << 10

        /// Jobs that read pages for woken readers. A whole tree's readers are one job.
        static let feedThreadCountMax = 2

        /// The body of a request that asks for one small thing.
        static let requestBytesMax = 64 << 10

        /// The body of a request that follows several trees.
        static let followBytesMax = 64 << 10

        /// Names that are tried for what comes back and finds its own taken.
        static let restoredNameTriesMax = 1_000

        /// Spans that one write of a whole file stores with one barrier while few write; the next ones arrive
        /// meanwhile, so that it holds some 24 MiB.
        static let writtenSpansTogether = 8

        /// Writers whose spans are stored beside them. Of more, each stores what came and then receives what comes
        /// next: one or two MiB each.
        static let writersAsideMax = 16

        /// Writers that compress and write chunks at a time, each in a copy.
        static let packingCountMax = 16

        /// Threads for spans that are stored or read ahead beside a request.
        static let contentHelperCountMax = 32

        /// Spans of a resumable upload that are stored with one barrier; with them it takes 5 MiB of memory.
        static let uploadedSpansStoredTogether = 4

        /// A file up to here is answered from memory, in the transaction that found it.
        static let smallFileBytesMax: Int64 = 64 << 10

        /// A field of a form that is no file, and that nobody reads.
        static let formFieldBytesMax = 64 << 10

        /// Answers with such files that one process keeps in memory, in bytes, and what each takes beside the file.
        static let knownAnswersBytesMax = 16 << 20
        static let knownAnswerOverheadBytes = 2 << 10

        /// Chunks whose blocks are recognised without hashing them: 64 GiB of large files, some 9 MiB.
        static let provedChunkCountMax = 65_536

        /// Marks by which such an answer is known to be good still: each tree has one of these, many share one.
        static let treeStampCount = 4_096

        /// Files and folders that one copy makes: one transaction, a second or two.
        static let copiedNodeCountMax = 10_000

        /// Files and folders in one archive, whose names are kept in memory until its end.
        static let zippedNodeCountMax = 200_000

        /// A piece of an archive.
        static let zipPieceBytes = 256 << 10

        /// Names that one request of a search looks at: about a quarter of a second.
        static let searchedNameCountMax = 50_000

        /// Names that a walk reads at a time: it begins anew at each folder, so not many.
        static let walkPageCount = 64

        /// Links to one node.
        static let linksOfNodeMax = 100

        /// Tries at a link's password in so long a while.
        static let linkAttemptsMax = 10
        /// A form with one password, each of its bytes written as three.
        static let linkFormBytesMax = 1 << 10
        static let linkAttemptsInterval = Duration.seconds(900)

        /// How long whoever gave a link's password need not give it again.
        static let linkTicketKept = Duration.seconds(3_600)

        /// Uses of a link that are remembered one by one.
        static let linkUsesKept = 100

        /// Uploads of one user that are open at a time.
        static let openUploadsMax: Int64 = 200

        /// How long an upload waits for its rest.
        static let uploadKept = Duration.seconds(7 * 86_400)

        /// Whole spans after which what came of an upload is entered, so that little is sent again after a crash.
        static let uploadedSpansTogether = 16

        /// Parts that are joined into one file.
        static let joinedUploadsMax = 1_000

        /// Revocations are asked for so often: a session that ended is refused within half a minute.
        static let revocationInterval = Duration.seconds(10)

        /// Longer than any token lives.
        static let revocationKept = Duration.seconds(2 * 86_400)

        /// A page of a thousand revocations of some 200 bytes.
        static let revocationPageBytesMax = 1 << 20

        /// Folders above each other: a path of 4,095 bytes has no more.
        static let pathDepthMax = 2_048

        /// Standings of callers at folders that one process remembers; one takes about 200 bytes.
        static let accessPlaceCountMax = 100_000

        /// How long others may go on reading what they had open when it was removed.
        static let openAfterRemoval = Duration.seconds(86_400)

        /// Every earlier content is kept for so long, the last of each hour up to the next age, the last of each day up
        /// to the one after that, and the last of each week for ever.
        static let versionsAllKept = Duration.seconds(3_600)
        static let versionsHourly = Duration.seconds(86_400)
        static let versionsDaily = Duration.seconds(30 * 86_400)

        /// Versions that one list tells: the policy keeps about 130 of ten years, labelled ones apart.
        static let versionCountMax = 1_000

        /// Versions and pieces of trash that one transaction gives up to make room: a few milliseconds.
        static let thinnedRowCountMax = 256

        /// How long trash stays by default.
        public static let trashKept = Duration.seconds(30 * 86_400)

        /// Claims of guests on what they put and did not use: as long as the longest upload.
        static let claimKept = Duration.seconds(7 * 86_400)

        /// Offers that one user makes, or that are made to one, and that wait for their answers; and how long they do.
        static let transfersMax = 1_000
        static let transferKept = Duration.seconds(7 * 86_400)

        /// What may lie in a tree beyond its quota without being a file yet: one body of chunks, so that a quota of
        /// nothing still answers with what is wrong.
        static let stagingSlackBytes: Int64 = 16 << 20

        /// How long a tree that was full is not counted again: a count reads all its unused chunks.
        static let stagingPause = Duration.seconds(1)

        /// Trees whose staged bytes one process adds up; one takes about 50 bytes.
        static let stagingTreeCountMax = 100_000

        /// Grants on one node: more than anybody manages by hand.
        static let grantsOfNodeMax = 1_000

        /// Grants in one tree.
        static let grantsOfTreeMax = 100_000

        /// Events of the audit log are kept for a year.
        static let auditKept = Duration.seconds(366 * 86_400)

        /// Connections of one process to PostgreSQL, the listener's apart: its servers commonly allow a hundred in all.
        static let postgresConnectionCountMax = 24

        /// How long the collector stands still for a backup that died; one that lives says so more often.
        static let backupHold = Duration.seconds(900)

        /// Contents that a scrub reads at a time.
        static let scrubThreadCount = 8

        /// Findings that a check tells one by one; the rest is counted.
        static let findingCountMax = 1_000

        /// Rows that one statement brings to PostgreSQL: its memory holds them, and one round trip is shared enough.
        static let setRowCountMax = 1_000

        /// Operations that one decision may ask for more facts before it counts as ours to repair: a deep folder asks
        /// once an ancestor, a large file once a page.
        static let factRoundCountMax = 1 << 20
    }
}
