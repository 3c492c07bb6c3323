import DaleksAPI
import DaleksCache
import DaleksCore
import DaleksSQLite

/// Where nodes stand here and where they stand at the region, and what brings the one to the other.
struct ReunionNames {
    struct Spot: Hashable {
        var folder: NodeID
        var name: Name
    }

    struct Place: Hashable {
        var parent: Inode
        var name: Name
        var folder: NodeID
        var spot: Spot { Spot(folder: folder, name: name) }
    }

    /// Every name here of what is in question.
    private(set) var places: [Inode: [Place]] = [:]
    /// Names that the region has to take from one place to another.
    private(set) var moves: [Inode: [(from: Spot, to: Place)]] = [:]
    /// Names that it lacks beside.
    private(set) var lacking: [Inode: [Place]] = [:]
    /// Which nodes leave a name that something else wants.
    private(set) var leaving: [Spot: Inode] = [:]
    /// Folders of which the region has no name that is known here.
    private(set) var unplaced: Set<Inode> = []

    mutating func find(
        of known: [Inode: LocalNode],
        _ there: Reunion.There,
        _ db: borrowing Connection
    ) throws {
        var remote: [NodeID: [Spot]] = [:]
        for (folder, listing) in there.listings {
            for (name, record) in listing { remote[record.id, default: []].append(Spot(folder: folder, name: name)) }
        }
        for (inode, node) in known where inode != .root {
            places[inode] = try EntryTable.places(of: inode, db).compactMap { place in
                guard let folder = try NodeTable.find(place.parent, in: db) else { return nil }
                return Place(parent: place.parent, name: place.name, folder: folder.id)
            }
            // Every machine begins with the same one, or one would make what the other renames.
            .sorted { ("\($0.folder)", "\($0.name)") < ("\($1.folder)", "\($1.name)") }
            // Where a folder did not change, its names are those that the region has.
            var needed = (places[inode] ?? []).filter { known[$0.parent] != nil }
            guard there.records[node.id] != nil else {
                lacking[inode] = places[inode]
                continue
            }
            let mine = Set(needed.map(\.spot))
            let theirs = Set(remote[node.id] ?? [])
            needed.removeAll { theirs.contains($0.spot) }
            var spare = theirs.subtracting(mine).sorted { "\($0.name)" < "\($1.name)" }
            while !needed.isEmpty, let from = spare.popLast() {
                let to = needed.removeFirst()
                moves[inode, default: []].append((from, to))
                leaving[from] = inode
            }
            if node.attributes.kind == .folder {
                if !needed.isEmpty { unplaced.insert(inode) }
            } else {
                lacking[inode] = needed
            }
        }
    }
}

extension ReunionStep {
    /// Everything that the region has to hear of one node, after what it builds on.
    mutating func emit(_ inode: Inode, _ db: borrowing Connection) throws {
        guard !isEmitted.contains(inode), var node = known[inode] else { return }
        isEmitted.insert(inode)
        for place in names.places[inode] ?? [] { try emit(place.parent, db) }
        guard inode == .root || names.places[inode]?.isEmpty == false else {
            return try forgetNumber(of: node, db)
        }
        if let record = there.records[node.id] {
            try settle(&node, record, db)
        } else {
            if try sendNew(&node, db) { try make(&node, db) } else { keepForgotten(&node) }
        }
        try NodeTable.update(node, in: db)
        known[inode] = node
    }

    /// What has no name here is told nothing of. It may get one back, where its removal does not fit any more, and then
    /// what the region says of it must not look old.
    private func forgetNumber(of node: LocalNode, _ db: borrowing Connection) throws {
        guard let record = there.records[node.id], record.revision < node.revision else { return }
        var node = node
        node.revision = record.revision
        try NodeTable.update(node, in: db)
    }

    private mutating func settle(_ node: inout LocalNode, _ record: NodeRecord, _ db: borrowing Connection) throws {
        // From here on it is what the region has, with what follows on top.
        node.revision = record.revision
        node.answered = 0
        node.isStale = true
        try settleContent(of: &node, record, db)
        tellAttributes(of: node, over: record)
        for move in names.moves[node.inode] ?? [] { try rename(node, from: move.from, to: move.to, db) }
        for place in names.lacking[node.inode] ?? [] { try link(node, at: place, db) }
        if names.unplaced.contains(node.inode) {
            // It lies in a folder that is not known here. A listing shows where.
            for place in names.places[node.inode] ?? [] { try markStale(place.parent, db) }
        }
    }

    private mutating func make(_ node: inout LocalNode, _ db: borrowing Connection) throws {
        (node.revision, node.answered, node.listed) = (0, 0, 0)
        // Another machine may have sent it first, and more in it than is known here.
        node.isStale = node.attributes.kind == .folder
        guard let places = names.lacking[node.inode], let first = places.first else { return }
        let isOver = replaceable(at: first.spot, by: node)
        // A content goes up after the name, or is refused where the account is full: the file is given a name of its
        // own until it is there, and nobody sees it empty.
        let isLate = isOver != nil || node.attributes.kind == .file && size(of: node) > 0
        let name = isLate ? try freeName(like: first, db) : first.name
        let creation = Mutation.Creation(
            parent: first.folder,
            name: name,
            node: node.id,
            kind: node.attributes.kind,
            mode: node.attributes.mode,
            uid: node.attributes.uid,
            gid: node.attributes.gid,
            time: node.attributes.changed,
            target: node.target,
            device: node.attributes.device
        )
        rows.append(
            NewRow(
                kind: .metadata,
                subjects: JournalTable.Subjects(node: node.inode, parent: first.parent),
                mutation: .create(creation)
            )
        )
        try commitNew(&node, db)
        if isLate {
            let from = ReunionNames.Spot(folder: first.folder, name: name)
            try rename(node, from: from, to: first, replacing: isOver, db)
        }
        for place in places.dropFirst() { try link(node, at: place, db) }
        tellAttributes(of: node, over: nil)
    }

    /// What stands there at the region, if it is something that was replaced here after the backup.
    private func replaceable(at spot: ReunionNames.Spot, by node: LocalNode) -> NodeRecord? {
        guard let record = there.listings[spot.folder]?[spot.name], record.id != node.id,
            !isYoung(record.revision), record.attributes.kind != .folder, node.attributes.kind != .folder,
            names.leaving[spot] == nil
        else { return nil }
        return record
    }

    private func freeName(like place: ReunionNames.Place, _ db: borrowing Connection) throws -> Name {
        for attempt in 0..<1_000 {
            let name = ConflictName.make(from: place.name, suffix: "restored", attempt: attempt)
            if there.listings[place.folder]?[name] == nil, try !EntryTable.isTaken(name, in: place.parent, db) {
                return name
            }
        }
        throw SQLiteError(.corrupt, "a thousand names of one file are taken", sql: "entries")
    }

    private mutating func rename(
        _ node: LocalNode,
        from: ReunionNames.Spot,
        to: ReunionNames.Place,
        replacing: NodeRecord? = nil,
        _ db: borrowing Connection
    ) throws {
        guard let fromParent = try folder(from.folder, db) else { return }
        var (replaces, other): (NodeID?, Inode?) = (replacing?.id, nil)
        var isExchange = false
        if replacing == nil, let standing = there.listings[to.folder]?[to.name], standing.id != node.id {
            if let occupant = names.leaving[to.spot] {
                if !isEmitted.contains(occupant) { try emit(occupant, db) }
                // It is on its way out, unless it waits for this one in turn: then they change places.
                if let back = names.moves[occupant]?.first(where: { $0.from == to.spot }), back.to.spot == from {
                    guard !isExchanged.contains(node.inode) else { return }
                    isExchanged.formUnion([node.inode, occupant])
                    (isExchange, replaces, other) = (true, standing.id, occupant)
                }
            } else if let record = replaceable(at: to.spot, by: node) {
                replaces = record.id
            }
        }
        let rename = Mutation.Rename(
            parent: from.folder,
            name: from.name,
            node: node.id,
            toParent: to.folder,
            toName: to.name,
            replaces: replaces,
            isExchange: isExchange,
            time: node.attributes.changed
        )
        rows.append(
            NewRow(
                kind: .metadata,
                subjects: JournalTable.Subjects(
                    node: node.inode,
                    parent: fromParent,
                    otherParent: to.parent,
                    replaced: other
                ),
                mutation: .rename(rename)
            )
        )
    }

    private mutating func link(_ node: LocalNode, at place: ReunionNames.Place, _ db: borrowing Connection) throws {
        let isOver = replaceable(at: place.spot, by: node)
        let name = try isOver == nil ? place.name : freeName(like: place, db)
        rows.append(
            NewRow(
                kind: .metadata,
                subjects: JournalTable.Subjects(node: node.inode, parent: place.parent),
                mutation: .link(parent: place.folder, name: name, node: node.id, time: node.attributes.changed)
            )
        )
        if let isOver {
            let from = ReunionNames.Spot(folder: place.folder, name: name)
            try rename(node, from: from, to: place, replacing: isOver, db)
        }
    }

    private func folder(_ id: NodeID, _ db: borrowing Connection) throws -> Inode? {
        try inodes[id] ?? NodeTable.find(id, in: db)?.inode
    }

    private func markStale(_ inode: Inode, _ db: borrowing Connection) throws {
        guard var node = try NodeTable.find(inode, in: db), !node.isStale else { return }
        node.isStale = true
        try NodeTable.update(node, in: db)
    }
}
