import DaleksCore
import DaleksHTTP
import DaleksSQLite
import DaleksSystem

/// What is given up of versions and trash, and when.
enum Thinning {
    /// Versions and trash make room, the oldest first, for what would not fit into the quota beside them. A few a
    /// transaction: what is still over then goes with the next.
    static func makeRoom(in tree: inout TreeState, quota: Int64, _ db: borrowing StoreConnection) throws {
        for _ in 0..<Limits.Files.thinnedRowCountMax {
            guard tree.bytesUsed + tree.versionsBytes + tree.trashBytes > quota else { return }
            let version = tree.versionsBytes > 0 ? try VersionTable.oldest(of: tree.number, db) : nil
            let trash = tree.trashBytes > 0 ? try TrashTable.oldest(of: tree.number, db) : nil
            switch (version, trash) {
            case (nil, nil): return
            case (let version?, let trash) where trash.map({ version.superseded <= $0.removed }) ?? true:
                try VersionTable.drop(version.key, db)
                tree.versionsBytes -= version.cost
            case (_, let trash?): try TrashTable.purge(trash.id, in: &tree, db)
            case (_?, nil): return
            }
        }
    }

    /// The policy: all for an hour, the last of each hour for a day, the last of each day for a month, then the last
    /// of each week. A version is looked at when it comes to the end of one of these, at which time everything that
    /// could come later in its stretch is there.
    struct Stretch: Hashable {
        /// Versions whose times lie in one such are one, the latest.
        let end: Timestamp
        /// When to look at it again.
        let next: Timestamp?
    }

    static func stretch(of superseded: Timestamp, at now: Timestamp) -> Stretch? {
        let age = now - superseded
        let (length, nextAge): (Duration, Duration?)
        if age < Limits.Files.versionsAllKept {
            return nil
        } else if age < Limits.Files.versionsHourly {
            (length, nextAge) = (.seconds(3_600), Limits.Files.versionsHourly)
        } else if age < Limits.Files.versionsDaily {
            (length, nextAge) = (.seconds(86_400), Limits.Files.versionsDaily)
        } else {
            (length, nextAge) = (.seconds(7 * 86_400), nil)
        }
        let seconds = length.components.seconds
        let index = superseded.seconds >= 0 ? superseded.seconds / seconds : 0
        return Stretch(
            end: Timestamp(nanoseconds: (index + 1) * seconds * 1_000_000_000),
            next: nextAge.map { superseded + $0 }
        )
    }
}

extension TreeStore {
    /// One transaction's worth of versions that have come to the end of a stretch; how many there were.
    func thinVersions(limit: Int) throws(APIError) -> Int {
        let now = time.wall
        return try write(.normal) { db in
            let due = try VersionTable.due(at: now, limit: limit, db)
            for item in due {
                let version = item.version
                guard let stretch = Thinning.stretch(of: version.superseded, at: now) else {
                    // The clock was set back.
                    try VersionTable.setDue(version.key, version.superseded + Limits.Files.versionsAllKept, db)
                    continue
                }
                let isMarked = version.isPinned || version.label != nil
                let hasLater = try VersionTable.hasLater(than: version, of: item.file, before: stretch.end, db)
                if isMarked || !hasLater {
                    try VersionTable.setDue(version.key, stretch.next, db)
                } else {
                    try VersionTable.drop(version.key, db)
                    guard var tree = try TreeTable.lock(number: item.tree, db) else { continue }
                    tree.versionsBytes -= version.cost
                    try TreeTable.save(tree, db)
                }
            }
            return due.count
        }
    }

    /// What lay in the trash for its whole time is gone for good.
    func expireTrash(limit: Int) throws(APIError) -> Int {
        let before = time.wall - trashKept
        return try write(.normal) { db in
            let due = try TrashTable.due(before: before, limit: limit, db)
            for (number, id) in due {
                guard var tree = try TreeTable.lock(number: number, db) else { continue }
                try TrashTable.purge(id, in: &tree, db)
                try TreeTable.save(tree, db)
            }
            return due.count
        }
    }
}
