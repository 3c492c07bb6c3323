import DaleksCore

/// What one program asks of one database file.
public struct DatabaseConfiguration: Sendable {
    /// Written into a new file's header and expected in an old one's: the proof that the file is this program's.
    public var applicationID: Int32

    /// Connections for reading; each is a snapshot of its own beside the writer.
    public var readerCount: Int

    /// How long a caller waits for another writer, in this process or another, or for a free reader, before `.busy`.
    public var busyTimeout: Duration

    /// A new file's pages; an old one keeps its own. A commit writes every page that it touched whole, so that many
    /// small commits want small pages and large rows want large ones.
    public var pageBytes: Int

    /// Pages each connection keeps in memory.
    public var cacheBytes: Int

    /// A log that grew past this is copied into the database by the checkpoint thread. Large enough that pages written
    /// again and again are copied once; small enough that opening after a crash reads little.
    public var checkpointBytes: Int64

    /// A log that grew past this (one huge transaction, a reader that would not end) is cut back on disk. Below it the
    /// file keeps its size: writing over blocks that it has makes the next barrier cheaper than growing it anew.
    public var truncateBytes: Int64

    /// How long a commit of SQLite's may wait for further transactions to carry. Each is answered at once and survives
    /// the death of the process, by a log of its own. Nil: each transaction is a commit.
    ///
    /// Where set, a `read` inside a `write` is a mistake.
    public var groupInterval: Duration?

    public init(
        applicationID: Int32,
        readerCount: Int = 2,
        busyTimeout: Duration = .seconds(10),
        pageBytes: Int = 4_096,
        cacheBytes: Int = 8 << 20,
        checkpointBytes: Int64 = 16 << 20,
        truncateBytes: Int64 = 64 << 20,
        groupInterval: Duration? = nil
    ) {
        precondition(applicationID != 0, "zero is what files of no program carry")
        precondition((1...Limits.SQLite.readersMax).contains(readerCount), "1 to \(Limits.SQLite.readersMax) readers")
        precondition((512...65_536).contains(pageBytes) && pageBytes & (pageBytes - 1) == 0, "SQLite has no such pages")
        self.applicationID = applicationID
        self.readerCount = readerCount
        self.busyTimeout = busyTimeout
        self.pageBytes = pageBytes
        self.cacheBytes = cacheBytes
        self.checkpointBytes = checkpointBytes
        self.truncateBytes = truncateBytes
        self.groupInterval = groupInterval
    }
}
