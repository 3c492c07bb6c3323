import DaleksAPI
import DaleksCore
import DaleksHTTP
import DaleksSQLite
import DaleksSystem

/// Leases: which device decides about locks on a file. Each question is one transaction, decided by the region's clock.
extension TreeStore {
    enum LeaseAnswer: Sendable {
        case given(LeaseRecord)
        /// Somebody else has it. `isUsed`: programs hold locks under it, so it will not be back at once.
        case taken(isUsed: Bool, until: Timestamp)
    }

    /// What was answered, and who is to hear of it.
    struct LeaseOutcome<Value: Sendable>: Sendable {
        let value: Value
        let told: Set<LeaseHolder>
    }

    /// Takes the lease, or makes it one's own longer or stronger. Where others have it they are asked to give it back;
    /// `wishKept` is how long they are, unless this is asked again.
    func takeLease(
        _ mode: LeaseMode,
        on id: NodeID,
        by holder: LeaseHolder,
        wishKept: Duration
    ) throws(APIError) -> LeaseOutcome<LeaseAnswer> {
        let own = try tree(of: holder.user)
        let now = time.wall
        return try write { db in
            let place = try leasePlace(of: id, mode, for: holder.user, own: own.number, db)
            // First of all: nobody else decides about a lease of this tree until we are done.
            let number = try LeaseTable.draw(in: place.tree, db)
            guard let tree = try TreeTable.load(number: place.tree, db) else { throw RecordError(record: "tree") }
            let leases = try LeaseTable.leases(on: place, at: now, db)
            let wishes = try LeaseTable.wishes(on: place, at: now, db)
            let known = leases.first { $0.holder == holder }
            let obstacles = leases.filter { $0.holder != holder && Self.exclude($0.mode, mode) }
            let wish = wishes.first { $0.holder == holder }
            // Whoever asked before comes before; but what is one's own already nobody waits for in front of one.
            let isOutrun =
                known == nil
                && wishes.contains { other in
                    other.holder != holder && Self.exclude(other.mode, mode)
                        && other.since < wish?.since ?? now
                }
            guard obstacles.isEmpty, !isOutrun else {
                let wish = LeaseTable.Wish(
                    place: place,
                    holder: holder,
                    mode: mode,
                    since: wish?.since ?? now,
                    expires: now + wishKept
                )
                try LeaseTable.save(wish, db)
                // Nobody had asked for it: what its holder said when somebody last did is out of date.
                let isFirst = !wishes.contains { Self.exclude($0.mode, mode) }
                if isFirst { try LeaseTable.clearUse(on: place, db) }
                let until = obstacles.map(\.expires).min() ?? now + Limits.Files.leaseWishSlack
                return LeaseOutcome(
                    value: .taken(isUsed: !isFirst && obstacles.contains(where: \.isUsed), until: until),
                    told: Set(obstacles.map(\.holder))
                )
            }
            try requireRoom(for: holder, besides: known, at: now, db)
            if wish != nil { try LeaseTable.deleteWish(of: holder, on: place, db) }
            let lease = LeaseTable.Lease(
                place: place,
                holder: holder,
                number: known.map { $0.mode >= mode ? $0.number : number } ?? number,
                mode: max(known?.mode ?? mode, mode),
                isUsed: false,
                expires: now + Limits.Files.leaseTerm
            )
            try LeaseTable.save(lease, db)
            let record = LeaseRecord(
                node: id,
                number: lease.number,
                mode: lease.mode,
                seconds: Limits.Files.leaseSecondsTold,
                cursor: tree.cursor.description
            )
            return LeaseOutcome(value: .given(record), told: [])
        }
    }

    /// Gives it back. Nothing happens where it is not the holder's any more.
    func returnLease(_ number: Int64, on id: NodeID, by holder: LeaseHolder) throws(APIError) -> LeaseOutcome<Void> {
        let now = time.wall
        return try write { db in
            let held = try LeaseTable.leases(of: holder, at: now, db).first { $0.place.node == id }
            guard let held, held.number == number else { return LeaseOutcome(value: (), told: []) }
            try LeaseTable.delete(held, db)
            return LeaseOutcome(value: (), told: Set(try LeaseTable.wishes(on: held.place, at: now, db).map(\.holder)))
        }
    }

    /// Gives back whatever the holder has on it.
    func dropLease(on id: NodeID, by holder: LeaseHolder) throws(APIError) -> Set<LeaseHolder> {
        let now = time.wall
        return try write { db in
            guard let held = try LeaseTable.leases(of: holder, at: now, db).first(where: { $0.place.node == id }) else {
                return []
            }
            try LeaseTable.delete(held, db)
            return Set(try LeaseTable.wishes(on: held.place, at: now, db).map(\.holder))
        }
    }

    /// Wants it no longer.
    func dropWish(for id: NodeID, by holder: LeaseHolder) throws(APIError) -> Set<LeaseHolder> {
        let now = time.wall
        return try write { db in
            for place in try LeaseTable.places(wanted: id, by: holder, db) {
                try LeaseTable.deleteWish(of: holder, on: place, db)
                return Set(try LeaseTable.wishes(on: place, at: now, db).map(\.holder))
            }
            return []
        }
    }

    /// Holds longer what the device still holds.
    func renewLeases(
        _ held: [LeaseWatch.Held],
        by holder: LeaseHolder
    ) throws(APIError) -> LeaseOutcome<[NodeID]> {
        let now = time.wall
        return try write { db in
            let leases = Dictionary(
                try LeaseTable.leases(of: holder, at: now, db).map { ($0.place.node, $0) },
                uniquingKeysWith: { first, _ in first }
            )
            var lost: [NodeID] = []
            var told: Set<LeaseHolder> = []
            for one in held {
                guard var lease = leases[one.node], lease.number == one.number,
                    try isStillThere(lease, for: holder.user, db)
                else {
                    lost.append(one.node)
                    continue
                }
                let wasUsed = lease.isUsed
                lease.isUsed = one.isUsed
                lease.expires = now + Limits.Files.leaseTerm
                guard try LeaseTable.renew(lease, at: now, db) else {
                    lost.append(one.node)
                    continue
                }
                if one.isUsed, !wasUsed {
                    told.formUnion(try LeaseTable.wishes(on: lease.place, at: now, db).map(\.holder))
                }
            }
            return LeaseOutcome(value: lost, told: told)
        }
    }

    /// Which of the device's leases others want; nil where it has none.
    func recalledLeases(of holder: LeaseHolder) throws(APIError) -> [LeaseTable.Lease]? {
        let now = time.wall
        return try read { db in
            let leases = try LeaseTable.leases(of: holder, at: now, db)
            guard !leases.isEmpty else { return nil }
            return try leases.filter { lease in
                try LeaseTable.wishes(on: lease.place, at: now, db).contains {
                    $0.holder != holder && Self.exclude($0.mode, lease.mode)
                }
            }
        }
    }

    private static func exclude(_ one: LeaseMode, _ other: LeaseMode) -> Bool {
        one == .exclusive || other == .exclusive
    }

    /// Where the lease is kept, once the caller may have it. Of what is not there and what is hidden nothing differs.
    private func leasePlace(
        of id: NodeID,
        _ mode: LeaseMode,
        for caller: UserID,
        own: TreeNumber,
        _ db: borrowing StoreConnection
    ) throws -> LeaseTable.Place {
        let seen: Seen
        do {
            seen = try visible(id, to: caller, for: mode == .exclusive ? .change : .see, db)
        } catch let error as APIError where error.code == .notFound {
            return LeaseTable.Place(tree: own, node: id)
        }
        guard seen.node.attributes.kind == .file else { throw APIError.invalid("only files are locked") }
        return LeaseTable.Place(tree: seen.tree.number, node: id)
    }

    /// A file that was taken for one of the caller's own may turn out to be another's, and one that was shared may not
    /// be any more.
    private func isStillThere(
        _ lease: LeaseTable.Lease,
        for caller: UserID,
        _ db: borrowing StoreConnection
    ) throws -> Bool {
        guard let own = try TreeTable.load(owner: caller, db) else { return false }
        do {
            let place = try leasePlace(of: lease.place.node, lease.mode, for: caller, own: own.number, db)
            return place == lease.place
        } catch let error as APIError where error.code == .forbidden {
            return false
        }
    }

    private func requireRoom(
        for holder: LeaseHolder,
        besides known: LeaseTable.Lease?,
        at now: Timestamp,
        _ db: borrowing StoreConnection
    ) throws {
        guard known == nil else { return }
        let count = try db.first(
            "SELECT count(*) FROM leases WHERE holder = ?1 AND device = ?2 AND expires > ?3",
            [.id(holder.user), .id(holder.device), .time(now)]
        ) { try $0.int64(0) }
        guard count ?? 0 < Limits.Wire.leaseCountMax else {
            throw APIError(.conflict, "a device has leases on up to \(Limits.Wire.leaseCountMax) files")
        }
    }
}
