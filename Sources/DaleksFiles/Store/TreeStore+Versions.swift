import DaleksAPI
import DaleksCore
import DaleksHTTP
import DaleksSQLite
import DaleksSystem

/// Earlier contents of a file.
extension TreeStore {
    func versions(of id: NodeID, for caller: UserID) throws(APIError) -> VersionList {
        try read { db in
            let node = try visible(id, to: caller, db).node
            guard node.attributes.kind == .file else { throw APIError.invalid("only a file has versions") }
            let earlier = try VersionTable.versions(of: id, limit: Limits.Files.versionCountMax, db)
            guard node.content != 0 else { return VersionList(earlier.map(\.record), made: node.made) }
            let author = try ManifestTable.author(of: StoredManifest.Key(node: id, content: node.content), db)
            let present = VersionRecord(
                content: node.content,
                size: node.attributes.size,
                modified: node.attributes.modified,
                superseded: nil,
                author: author,
                label: nil,
                isPinned: false
            )
            return VersionList([present] + earlier.map(\.record), made: node.made)
        }
    }

    func changeVersion(
        _ content: Revision,
        of id: NodeID,
        _ change: VersionChange,
        by caller: UserID
    ) throws(APIError) -> VersionRecord {
        try write { db in
            var (_, version) = try self.version(content, of: id, by: caller, db)
            if let label = change.label { version.label = label.isEmpty ? nil : label }
            if let isPinned = change.isPinned { version.isPinned = isPinned }
            try VersionTable.setMarks(version, db)
            return version.record
        }
    }

    func deleteVersion(_ content: Revision, of id: NodeID, by caller: UserID) throws(APIError) {
        let now = time.wall
        try write { db in
            let (seen, version) = try version(content, of: id, by: caller, db)
            // It takes bytes away for good, which nobody but the owner may.
            guard seen.standing.access.isOwner else { throw APIError.forbidden("only its owner deletes versions") }
            var tree = seen.tree
            try VersionTable.drop(version.key, db)
            tree.versionsBytes -= version.cost
            try TreeTable.save(tree, db)
            try AuditTable.record(
                .versionDeleted,
                in: tree.number,
                at: now,
                by: caller,
                node: id,
                detail: "\(content)",
                db
            )
        }
    }

    func restoreVersion(
        _ content: Revision,
        of id: NodeID,
        over base: Revision,
        by caller: UserID
    ) throws(APIError) -> Told<NodeRecord> {
        let now = time.wall
        return try write { db in
            let (seen, version) = try version(content, of: id, by: caller, db)
            guard let manifest = try ManifestTable.load(version.key, db) else {
                throw RecordError(record: "manifest of a version")
            }
            var session = DraftSession(tree: seen.tree, caller: caller, bytesQuota: bytesQuota, now: now)
            let decision = try session.decide(db) { draft throws(Stop) in
                try draft.setContent(of: id, to: manifest, over: base, modified: version.modified, by: .request)
            }
            _ = try decision.orThrow()
            try session.save(db)
            try AuditTable.record(
                .versionRestored,
                in: seen.tree.number,
                at: now,
                by: caller,
                node: id,
                detail: "\(content)",
                db
            )
            return Told(value: try visible(id, to: caller, db).record, owners: [seen.tree.owner])
        }
    }

    private func version(
        _ content: Revision,
        of id: NodeID,
        by caller: UserID,
        _ db: borrowing StoreConnection
    ) throws -> (Seen, StoredVersion) {
        let seen = try visible(id, to: caller, for: .change, locking: true, db)
        guard seen.standing.isReachable else { throw Self.hidden }
        guard let version = try VersionTable.load(content, of: id, db) else {
            throw APIError.notFound("the file has no such earlier version")
        }
        return (seen, version)
    }
}

extension StoredVersion {
    var record: VersionRecord {
        VersionRecord(
            content: key.content,
            size: size,
            modified: modified,
            superseded: superseded,
            author: author,
            label: label,
            isPinned: isPinned
        )
    }
}

extension Decision {
    /// What a request of its own hears.
    func orThrow() throws(APIError) -> Answer {
        switch self {
        case .made(let answer): return answer
        case .refused(let outcome): throw APIError(outcome)
        }
    }
}

extension APIError {
    /// An operation that was refused, as the answer to a request of its own.
    init(_ outcome: OperationResult.Outcome) {
        switch outcome {
        case .conflict(let conflict, _):
            self =
                switch conflict {
                case .exists: APIError(.alreadyExists, "the name is taken")
                case .missing: .notFound("there is nothing here that the caller may see")
                case .changed: APIError(.revisionConflict, "the content is another by now")
                case .notEmpty: APIError(.notEmpty, "the folder is not empty")
                case .cycle: .invalid("a folder cannot lie in itself")
                case .kind: .invalid("it is not of the kind that this needs")
                }
        case .denied("forbidden", let detail): self = .forbidden(detail)
        case .denied("quota_exceeded", let detail): self = APIError(.quotaExceeded, detail)
        case .denied(_, let detail): self = .invalid(detail)
        case .incomplete: self = .conflict("some of the content is not there any more: send it again")
        case .done, .known, .waiting: self = .internalError("the region failed to answer; its log has the reason")
        }
    }
}
