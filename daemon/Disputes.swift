import DaleksAPI
import DaleksCore
import DaleksMount
import DaleksSync
import DaleksSystem

/// What waits for a person, in the words of the control socket.
enum Disputes {
    /// Of the account's own tree, and of what others share.
    static func all(of engines: [SyncEngine]) throws(Errno) -> ControlDisputes {
        var (all, limit) = (ControlDisputes(copies: [], refusals: [], setAside: []), ControlLimits.disputeCountMax)
        for engine in engines {
            let some = try disputes(of: engine, limit)
            all.copies += some.copies
            all.refusals += some.refusals
            all.setAside += some.setAside
            limit = max(0, ControlLimits.disputeCountMax - all.copies.count)
        }
        return all
    }

    private static func disputes(of engine: SyncEngine, _ limit: Int) throws(Errno) -> ControlDisputes {
        let above = engine.isOfShares ? MountedAccount.sharesName + "/" : ""
        func shown(_ path: [Name]) -> String { above + Self.shown(path) }
        let copies = try engine.tree.conflictCopies(limit: limit).map { copy in
            ControlDisputes.Copy(
                path: shown(copy.path),
                plain: copy.plain.map(shown),
                host: copy.host,
                date: copy.date,
                size: copy.size,
                modified: copy.modified.nanoseconds
            )
        }
        let refusals = try engine.tree.refusals(limit: limit).map { refusal in
            ControlDisputes.Refusal(
                path: shown(refusal.path),
                word: refusal.word,
                code: refusal.code,
                detail: refusal.detail,
                retryAt: refusal.retryAt.nanoseconds
            )
        }
        let folder = engine.setAsideFolder
        let names = (try? Files.entries(of: folder)) ?? []
        let setAside = names.sorted().prefix(limit).map { "\(folder)/\($0)" }
        return ControlDisputes(copies: copies, refusals: refusals, setAside: setAside)
    }

    private static func shown(_ path: [Name]) -> String { path.map(\.description).joined(separator: "/") }
}
