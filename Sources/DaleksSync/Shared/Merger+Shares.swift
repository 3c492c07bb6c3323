import DaleksAPI
import DaleksCache
import DaleksCore
import DaleksSQLite
import DaleksSystem

/// Items that others share: which there are, under which names they are shown, and what may be done with them.
extension Merger {
    /// The whole list, as the region told it. `lost`: owners whose feeds are followed from here on, because they do not
    /// reach back to where we were.
    mutating func show(
        _ items: [SharedItem],
        names: [UserID: String],
        lost: Set<UserID>,
        at now: Timestamp,
        _ db: borrowing Connection
    ) throws {
        let known = Dictionary(uniqueKeysWithValues: try ShareTable.all(in: db).map { ($0.node, $0) })
        try renew(lost, items, at: now, db)
        // First what goes: what took its place at the owner's has its name.
        let listed = Set(items.map(\.node.id))
        for share in known.values where !share.isWithdrawn && !listed.contains(share.node) { try withdraw(share, db) }
        // What lies in another comes after it: then it may have its place there.
        for item in items where item.within == nil { try show(item, known[item.node.id], names, at: now, db) }
        for item in items where item.within != nil { try note(item, known[item.node.id], db) }
        try closeEmptyFolders(at: now, db)
    }

    private func renew(
        _ lost: Set<UserID>,
        _ items: [SharedItem],
        at now: Timestamp,
        _ db: borrowing Connection
    ) throws {
        for id in lost {
            guard let owner = try OwnerTable.find(id, in: db),
                let cursor = items.first(where: { $0.node.owner == id })?.cursor
            else { continue }
            let isOtherLife = Cursor(cursor)?.epoch != Cursor(owner.cursor)?.epoch
            try ShareTable.distrust(ownedBy: owner.folder, withNumbers: isOtherLife, in: db)
            // The region came back from a backup and may count our operations from further back.
            if isOtherLife { try ForkedDevice.countAnew(at: now, db) }
            try OwnerTable.setCursor(cursor, of: id, in: db)
        }
    }

    // MARK: Items with a name of their own

    private mutating func show(
        _ item: SharedItem,
        _ known: ShareTable.Share?,
        _ names: [UserID: String],
        at now: Timestamp,
        _ db: borrowing Connection
    ) throws {
        // What was withdrawn and given again comes back when all of it has gone.
        guard known?.isWithdrawn != true else { return }
        let folder = try folder(of: item, names, at: now, db)
        try note(item, known, db)
        let node = try merge(item.node, .answer, db)
        try place(node, as: item.name, in: folder, db)
        var share = ShareTable.Share(item)
        share.inode = node.inode
        try ShareTable.set(share, in: db)
    }

    private mutating func place(
        _ node: LocalNode,
        as name: Name,
        in folder: Inode,
        _ db: borrowing Connection
    ) throws {
        let places = try EntryTable.places(of: node.inode, db)
        if let current = places.first(where: { $0.parent == folder })?.name {
            guard !current.isVariant(of: name) else { return }
            try EntryTable.delete(current, in: folder, db)
            effects.append(.entry(parent: folder, name: current))
        }
        try giveWay(name, in: folder, db)
        let free = try Self.free(name, in: folder, db)
        if node.attributes.kind == .folder {
            // It lay in another item, and folders have one name.
            for place in places where place.parent != folder {
                try EntryTable.delete(place.name, in: place.parent, db)
                effects.append(.entry(parent: place.parent, name: place.name))
            }
        }
        try EntryTable.insert(free, in: folder, node: node.inode, db)
        effects.append(.entry(parent: folder, name: free))
    }

    /// What is not shown any more, and only waits until what was done in it is put aside, needs no good name.
    private func giveWay(_ name: Name, in folder: Inode, _ db: borrowing Connection) throws {
        guard let standing = try EntryTable.find(name, in: folder, db),
            try ShareTable.all(in: db).contains(where: { $0.isWithdrawn && $0.inode == standing.inode })
        else { return }
        let other = try Self.free(name, from: 2, in: folder, db)
        try EntryTable.delete(name, in: folder, db)
        try EntryTable.insert(other, in: folder, node: standing.inode, db)
    }

    private static func free(
        _ name: Name,
        from first: Int = 1,
        in folder: Inode,
        _ db: borrowing Connection
    ) throws -> Name {
        for number in first...Limits.variantCountMax {
            guard let candidate = name.variant(number) else { break }
            if try !EntryTable.isTaken(candidate, in: folder, db) { return candidate }
        }
        throw SQLiteError(.corrupt, "too many items of one name", sql: "entries")
    }

    // MARK: Owners' folders

    private mutating func folder(
        of item: SharedItem,
        _ names: [UserID: String],
        at now: Timestamp,
        _ db: borrowing Connection
    ) throws -> Inode {
        let owner = item.node.owner
        if let known = try OwnerTable.find(owner, in: db) { return known.folder }
        let text = names[owner] ?? "\(owner)"
        let name = try Self.free(Name(ofPerson: text, id: owner), in: .root, db)
        let folder = LocalNode(
            inode: Inode(rawValue: 0),
            id: .random(at: now),
            attributes: .ofSharedFolder(at: now),
            isComplete: true
        )
        let inode = try NodeTable.insert(folder, in: db)
        try EntryTable.insert(name, in: .root, node: inode, db)
        try OwnerTable.insert(OwnerTable.Owner(id: owner, folder: inode, name: text, cursor: item.cursor), in: db)
        effects.append(.entry(parent: .root, name: name))
        return inode
    }

    private mutating func closeEmptyFolders(at now: Timestamp, _ db: borrowing Connection) throws {
        for owner in try OwnerTable.all(in: db) where try EntryTable.isEmpty(owner.folder, db) {
            for place in try EntryTable.places(of: owner.folder, db) {
                try EntryTable.delete(place.name, in: place.parent, db)
                effects.append(.removed(parent: place.parent, name: place.name, node: owner.folder))
            }
            try OwnerTable.delete(owner.id, in: db)
        }
    }

    // MARK: Rights

    /// What was granted, and to what it comes for all that is known below.
    private mutating func note(
        _ item: SharedItem,
        _ known: ShareTable.Share?,
        _ db: borrowing Connection
    ) throws {
        var share = ShareTable.Share(item)
        share.inode = known?.inode
        guard let node = try NodeTable.find(item.node.id, in: db) else { return try ShareTable.set(share, in: db) }
        if item.within != nil, let folder = try OwnerTable.find(item.node.owner, in: db)?.folder {
            try leaveFolder(node.inode, folder, &share, db)
        }
        try ShareTable.set(share, in: db)
        let before = known?.rights ?? node.standing.granted ?? []
        guard before != share.rights || node.standing.granted != share.rights else { return }
        try setRights(share.rights, below: node.inode, insteadOf: before, db)
    }

    /// An item that came to lie in another is seen there, once it is known there.
    private mutating func leaveFolder(
        _ inode: Inode,
        _ folder: Inode,
        _ share: inout ShareTable.Share,
        _ db: borrowing Connection
    ) throws {
        let places = try EntryTable.places(of: inode, db)
        guard places.contains(where: { $0.parent != folder }) else { return }
        share.inode = nil
        for place in places where place.parent == folder {
            try EntryTable.delete(place.name, in: folder, db)
            effects.append(.entry(parent: folder, name: place.name))
        }
    }

    private mutating func setRights(
        _ rights: Rights,
        below inode: Inode,
        insteadOf before: Rights,
        _ db: borrowing Connection
    ) throws {
        try ShareTable.setRights(rights, below: inode, insteadOf: before, in: db)
        for member in try ShareTable.members(of: inode, in: db) { effects.append(.attributes(member)) }
    }

    /// Nobody's to see any more. What lies in it goes once everything that was done there is put aside.
    private mutating func withdraw(_ share: ShareTable.Share, _ db: borrowing Connection) throws {
        guard let inode = share.inode else {
            try ShareTable.delete(share.node, in: db)
            // It lies in another item, and now has that one's rights.
            guard let node = try NodeTable.find(share.node, in: db),
                let above = try EntryTable.places(of: node.inode, db).first?.parent,
                let rights = try NodeTable.find(above, in: db)?.standing.granted
            else { return }
            return try setRights(rights, below: node.inode, insteadOf: share.rights, db)
        }
        var gone = share
        gone.isWithdrawn = true
        try ShareTable.set(gone, in: db)
        try ShareTable.hide(inode, in: db)
        for member in try ShareTable.members(of: inode, in: db) {
            guard let node = try NodeTable.find(member, in: db) else { continue }
            effects.append(node.attributes.kind == .file ? .content(node) : .attributes(member))
        }
        for place in try EntryTable.places(of: inode, db) where try OwnerTable.isFolder(place.parent, in: db) {
            effects.append(.removed(parent: place.parent, name: place.name, node: inode))
        }
    }
}

extension ShareTable.Share {
    fileprivate init(_ item: SharedItem) {
        self.init(
            node: item.node.id,
            owner: item.node.owner,
            inode: nil,
            rights: item.node.rights ?? [],
            grantor: item.grantor,
            expires: item.expires
        )
    }
}

extension Attributes {
    /// Of a folder that is on this machine only: in it others' items are shown.
    static func ofSharedFolder(at now: Timestamp) -> Attributes {
        Attributes(
            kind: .folder,
            mode: 0o700,
            uid: 0,
            gid: 0,
            accessed: now,
            modified: now,
            changed: now,
            size: 0,
            links: 2
        )
    }
}

extension Name {
    /// What somebody's folder is called: what they are called, as far as a name can hold it.
    fileprivate init(ofPerson text: String, id: UserID) throws {
        let bytes = Array(text.utf8.map { $0 == UInt8(ascii: "/") || $0 == 0 ? UInt8(ascii: "_") : $0 }.prefix(200))
        do throws(Name.Refusal) { self = try Name(bytes) } catch { self = try Name(Array("\(id)".utf8)) }
    }

    /// The name itself for 1, `name (2).ext` for 2; nil where it does not fit.
    fileprivate func variant(_ number: Int) -> Name? {
        guard number > 1 else { return self }
        let dot = bytes.lastIndex(of: UInt8(ascii: ".")).flatMap { $0 > 0 ? $0 : nil } ?? bytes.count
        let suffix = Array(" (\(number))".utf8)
        let stem = bytes[..<dot].prefix(max(1, Limits.nameBytesMax - suffix.count - (bytes.count - dot)))
        return try? Name(Array(stem) + suffix + Array(bytes[dot...]))
    }

    fileprivate func isVariant(of name: Name) -> Bool {
        self == name || (2...Limits.variantCountMax).contains { name.variant($0) == self }
    }
}

extension Limits {
    /// Items of one name in one folder.
    fileprivate static let variantCountMax = 1_000
}
