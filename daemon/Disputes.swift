import DaleksAPI
import DaleksCore
import DaleksSync
import DaleksSystem

/// What waits for a person, in the words of the control socket.
enum Disputes {
    static func all(of engine: SyncEngine) throws(Errno) -> ControlDisputes {
        let limit = ControlLimits.disputeCountMax
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
