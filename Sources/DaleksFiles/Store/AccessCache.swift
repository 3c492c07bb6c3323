import DaleksCore
import DaleksSystem

/// What callers are to folders, remembered while the tree's access version stays: it is read in the same snapshot as
/// everything else, so that another process's grant or move is seen at once.
///
/// ## Concurrency
/// `places` is guarded by itself and held for a look-up.
final class AccessCache: Sendable {
    private struct Key: Hashable {
        let caller: UserID
        let folder: NodeID
    }

    private struct Place {
        let version: Int64
        let standing: Standing
    }

    private let places = Lock([Key: Place]())

    var count: Int { places.withLock { $0.count } }

    func forget() { places.withLock { $0.removeAll() } }

    func standing(ofFolder folder: NodeID, _ question: AccessTable.Question) -> Standing? {
        guard let place = places.withLock({ $0[Key(caller: question.caller, folder: folder)] }),
            place.version == question.tree.accessVersion
        else { return nil }
        if let expires = place.standing.expires, expires <= question.now { return nil }
        return place.standing
    }

    func learn(_ standing: Standing, ofFolder folder: NodeID, _ question: AccessTable.Question) {
        places.withLock { places in
            // Starting anew costs each folder one walk; keeping an order would cost every look-up.
            if places.count >= Limits.Files.accessPlaceCountMax { places.removeAll(keepingCapacity: true) }
            places[Key(caller: question.caller, folder: folder)] = Place(
                version: question.tree.accessVersion,
                standing: standing
            )
        }
    }
}
