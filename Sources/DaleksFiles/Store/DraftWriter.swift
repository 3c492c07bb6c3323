import DaleksCore
import DaleksSQLite

/// Writes what a draft decided, in the transaction in which it was decided.
enum DraftWriter {
    static func save(_ draft: TreeDraft, _ db: borrowing StoreConnection) throws {
        guard draft.hasChanged else { return }
        try saveManifests(of: draft, db)
        try NodeTable.save(draft.nodesToSave, db)
        try EntryTable.save(draft.entriesToSave, db)
        try ChunkTable.count(draft.newReferences, in: draft.tree.number, at: draft.now, db)
        try ChangeTable.insert(draft.changes, in: draft.tree.number, db)
        var tree = draft.tree
        try Thinning.makeRoom(in: &tree, quota: draft.bytesQuota, db)
        try TreeTable.save(tree, db)
    }

    /// Pages get their numbers here, and the manifests that list them are written with those.
    private static func saveManifests(of draft: TreeDraft, _ db: borrowing StoreConnection) throws {
        var numbers: [Int64: Int64] = [:]
        for (number, page) in draft.pagesToSave { numbers[number] = try ManifestTable.insert(page, db) }
        var made: [(StoredManifest, StoredManifest.Key, ManifestTable.Origin)] = []
        for (key, manifest) in draft.manifestsToSave {
            var manifest = manifest
            for placed in manifest.pages {
                guard case .stored(let number, let bytes) = placed.page, let final = numbers[number] else { continue }
                manifest.set(placed.index, to: .stored(number: final, bytes: bytes))
            }
            let origin = ManifestTable.Origin(
                tree: draft.tree.number,
                author: draft.caller,
                modified: draft.modified(of: key.node)
            )
            made.append((manifest, key, origin))
        }
        try ManifestTable.save(made, db)
        for (old, new, sequence) in draft.inheritedSharing {
            if let sequence { try GrantTable.inherit(from: old, to: new, in: draft.tree.number, since: sequence, db) }
            try LinkTable.inherit(from: old, to: new, db)
        }
        for (old, new) in draft.inheritedVersions { try ManifestTable.inheritVersions(from: old, to: new, db) }
        for superseded in draft.supersededManifests { try ManifestTable.supersede(superseded, at: draft.now, db) }
    }
}
