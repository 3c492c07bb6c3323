import DaleksAPI
import DaleksCache
public import DaleksCore
import DaleksSQLite
public import DaleksSystem

/// What waits for a person: two truths under two names, and changes that the region does not take.
extension LocalTree {
    /// A file that stands aside because its name was taken, or its bytes did not build on what the region had.
    public struct ConflictCopy: Hashable, Sendable {
        public var path: [Name]
        /// What it stands beside, where that is still there.
        public var plain: [Name]?
        public var host: String
        public var date: String
        public var size: Int64
        public var modified: Timestamp
    }

    /// A change made here that the region refused. It is kept and tried again; the rest goes on.
    public struct Refusal: Hashable, Sendable {
        public var path: [Name]
        /// What was done: `create`, `commit`, ….
        public var word: String
        /// The region's code, or one of ours.
        public var code: String
        public var detail: String
        public var retryAt: Timestamp
    }

    public func conflictCopies(limit: Int) throws(Errno) -> [ConflictCopy] {
        try database.readingLong { db throws -> [ConflictCopy] in
            try EntryTable.conflicts(limit: limit, db).compactMap { found -> ConflictCopy? in
                guard let reading = ConflictName.read(found.name), let node = try NodeTable.find(found.node, in: db)
                else { return nil }
                let folder = try Self.path(of: found.parent, in: db)
                let isThere = try EntryTable.isTaken(reading.plain, in: found.parent, db)
                return ConflictCopy(
                    path: folder + [found.name],
                    plain: isThere ? folder + [reading.plain] : nil,
                    host: reading.host,
                    date: reading.date,
                    size: node.attributes.size,
                    modified: node.attributes.modified
                )
            }
        }
    }

    public func refusals(limit: Int) throws(Errno) -> [Refusal] {
        try database.reading { db throws -> [Refusal] in
            try RefusalTable.all(in: db).prefix(limit).compactMap { refusal -> Refusal? in
                guard let row = try JournalTable.find(place: refusal.place, in: db) else { return nil }
                return Refusal(
                    path: try Self.path(of: row.subjects.node, in: db),
                    word: row.kind == .commit ? "commit" : try Journaling.operation(of: row).mutation.word,
                    code: refusal.code,
                    detail: refusal.detail,
                    retryAt: refusal.retryAt
                )
            }
        }
    }

    /// The names from the root to a node; from where it was cut off, where it has no name any more.
    private static func path(of inode: Inode, in db: borrowing Connection) throws -> [Name] {
        var path: [Name] = []
        var current = inode
        while current != .root, path.count < Limits.pathBytesMax,
            let place = try EntryTable.places(of: current, db).first
        {
            path.append(place.name)
            current = place.parent
        }
        return path.reversed()
    }
}
