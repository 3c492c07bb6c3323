public import DaleksCore

extension Limits {
    /// What the SQLite adapter allows itself.
    public enum SQLite {
        /// Statements kept prepared in each connection. A service has about a hundred; one costs 2–10 KiB.
        public static let cachedStatementsMax = 128

        /// Bytes each prepared statement keeps for bound bytes: a name of 255 bytes, three digests and some identifiers
        /// fit, so that the common statements bind without allocating. Longer values are copied by SQLite.
        static let scratchBytes = 512

        /// One statement's text. Ours are a few hundred bytes; a migration is split before it is prepared.
        static let statementBytesMax = 1 << 20

        /// One text, blob or row. The largest we store is a chunk of a small file (1 MiB); the rest is head room that
        /// still keeps a damaged length from asking for a gigabyte.
        static let valueBytesMax: Int32 = 64 << 20

        /// More readers than this only wait for each other's cores and caches.
        static let readersMax = 16

        /// Times that a running thread may take the writer's turn ahead of threads that wait for it. Handing over costs
        /// two context switches, more than a small transaction; but nobody may be passed over for ever.
        static let overtakesMax = 32

        /// How long a thread looks whether the turn becomes free before it sleeps: a transaction of a few rows takes
        /// about as long, and to be woken takes as long again, or much longer where the machine is busy.
        static let turnLookNanoseconds = 40_000

        /// How long the last part of a checkpoint waits, holding the writer's turn, for readers of the old log.
        static let restartWait = Duration.milliseconds(20)

        /// Transactions in one group, and bytes of what they did: a commit of so much takes about a millisecond, and a
        /// start after a crash does that much again.
        static let groupRecordsMax: UInt32 = 512
        static let groupBytesMax = 1 << 20

        /// What one transaction did, in bytes: more than the largest that is ever made, and no more than can be read
        /// back at once.
        static let recordBytesMax = 1 << 30

        /// Problems that one `verify` reports before it stops looking.
        static let problemsMax = 100

        /// Pages that a backup copies before it looks whether it was asked to stop.
        static let backupStepPages: Int32 = 1_024
    }
}
