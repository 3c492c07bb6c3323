import DaleksAPI
import DaleksCache
import DaleksCore
import DaleksSQLite

/// What the region understood and would not do.
extension Settlement {
    /// Bytes and what holds them stay in the journal, set aside with everything that builds on them, and are tried
    /// again; the rest goes on. A change of names or attributes is undone.
    mutating func refuse(_ item: Item, _ code: String, _ detail: String, _ db: borrowing Connection) throws {
        let subjects = item.row.subjects
        if item.row.isAsked { return try takeBack(item, refused: code, db) }
        switch item.operation.mutation {
        case .create, .commit:
            try postpone(item.row, db)
            resent.insert(subjects.node)
            if item.row.kind == .commit, try !EntryTable.isNamed(subjects.node, db) {
                // Removed here since: being full must not stop that.
                let rows = try JournalTable.rows(concerning: subjects.node, in: db)
                try Journaling.withdrawContent(of: subjects.node, rows, db)
                if try JournalTable.find(place: item.row.place, in: db) == nil { return }
            }
            let attempts = try RefusalTable.find(item.row.place, in: db)?.attempts ?? 0
            try RefusalTable.set(
                RefusalTable.Refusal(
                    place: item.row.place,
                    code: code,
                    detail: detail,
                    attempts: attempts + 1,
                    retryAt: now + RefusalPlan.pause(code, attempts: attempts)
                ),
                in: db
            )
            // Once is enough to hear of it.
            if attempts > 0 { return }
        case .attributes, .extended: try drop(item.row, db)
        case .remove(_, let name, _, _):
            try drop(item.row, db)
            if let parent = subjects.parent {
                try bringBack(subjects.node, at: Spot(parent: parent, name: name), db)
            }
        case .link(_, let name, _, _):
            try drop(item.row, db)
            if let parent = subjects.parent {
                try takeAway(subjects.node, at: Spot(parent: parent, name: name), db)
            }
        case .rename(let rename):
            try drop(item.row, db)
            if let parent = subjects.parent, let otherParent = subjects.otherParent {
                try undo(
                    item.row,
                    rename,
                    Spot(parent: parent, name: rename.name),
                    Spot(parent: otherParent, name: rename.toName),
                    isThere: true,
                    nil,
                    db
                )
            }
        }
        try markStale(subjects, db)
        report("the region refused a change", item, "\(code): \(detail)")
    }
}
