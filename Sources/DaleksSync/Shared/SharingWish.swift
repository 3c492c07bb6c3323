import DaleksAPI
public import DaleksCache
public import DaleksCore
import DaleksCrypto
import DaleksSQLite
public import DaleksSystem

/// What somebody wants others to be able to do with a node, said by an extended attribute.
public enum SharingWish: Hashable, Sendable {
    case publish(Bool)
    case grant(Rights, to: String)
    case revoke(from: String)
}

extension SyncEngine {
    /// Tells the region who may do what, once it has the node itself: nil, or why it would not. There is nothing to be
    /// journaled: what lets others in is not done behind anybody's back.
    public func arrange(
        _ wish: SharingWish,
        on inode: Inode,
        within limit: Duration,
        _ completion: @escaping @Sendable (Errno?) -> Void
    ) {
        whenAtRegion(.node(inode), within: limit) { [self] errno in
            if let errno { return completion(errno) }
            let accepted = labour.fetches.submit { [self] in completion(arrangeNow(wish, on: inode)) }
            if !accepted { completion(.tryAgain) }
        }
    }

    private func arrangeNow(_ wish: SharingWish, on inode: Inode) -> Errno? {
        let id: NodeID
        do throws(Obstacle) { id = try tree.stored(inode).id } catch { return .noEntry }
        do throws(RemoteError) {
            switch wish {
            case .publish(let isPublic): try remote.publish(id, isPublic)
            case .grant(let rights, let who): try remote.grant(rights, to: who, on: id)
            case .revoke(let who): try remote.revoke(from: who, on: id)
            }
            let record = try remote.node(id)
            do throws(Errno) {
                try news.apply(concerning: [id]) { merger, db throws in _ = try merger.merge(record, .answer, db) }
            } catch {
                return error
            }
            return nil
        } catch {
            return Self.errno(error)
        }
    }

    /// What somebody was granted on that very node, as the region has it now: nil where nothing was.
    public func granted(
        to who: String,
        on inode: Inode,
        _ completion: @escaping @Sendable (Result<Rights?, Errno>) -> Void
    ) {
        let accepted = labour.fetches.submit { [self] in
            do throws(Obstacle) {
                let node = try tree.stored(inode)
                // What the region does not know is shown to nobody.
                guard node.revision > 0 else { return completion(.success(nil)) }
                do throws(RemoteError) {
                    completion(.success(try remote.granted(to: who, on: node.id)))
                } catch {
                    completion(.failure(Self.errno(error)))
                }
            } catch {
                completion(.failure(.noEntry))
            }
        }
        if !accepted { completion(.failure(.tryAgain)) }
    }

    private static func errno(_ error: RemoteError) -> Errno {
        switch error {
        case .unreachable, .canceled, .cursorExpired, .deviceForked: .timedOut
        case .loggedOut: .accessDenied
        // Nobody is called that.
        case .notFound: .invalid
        case .refused(let code, _): code == "forbidden" ? .accessDenied : .invalid
        }
    }
}

/// Why somebody may do what they may.
extension SyncEngine {
    /// For people; nil where that is not known.
    public func why(_ inode: Inode) throws(Obstacle) -> String? {
        let node = try tree.stored(inode)
        guard let granted = node.standing.granted else { return isOfShares ? nil : "all: it is your own" }
        let reasons = try database.looking { db throws -> [String] in
            var (reasons, current): ([String], Inode) = ([], inode)
            let owners = Dictionary(uniqueKeysWithValues: try OwnerTable.all(in: db).map { ($0.id, $0.name) })
            for _ in 0..<Limits.pathBytesMax {
                guard let place = try EntryTable.places(of: current, db).first,
                    let known = try NodeTable.find(current, in: db)
                else { break }
                if let share = try ShareTable.find(known.id, in: db) {
                    let end = share.expires.map { ", expires \($0.rfc3339())" } ?? ""
                    let by = owners[share.grantor] ?? "user \(share.grantor)"
                    reasons.append("\(share.rights): granted on “\(place.name)” by \(by)\(end)")
                }
                current = place.parent
                if current == .root { break }
            }
            return reasons
        }
        return reasons.isEmpty ? "\(granted)" : reasons.joined(separator: "\n")
    }

    /// Whose tree a node that is shared lies in, as people call them.
    public func owner(of inode: Inode) throws(Obstacle) -> String? {
        try database.looking { db throws -> String? in
            if let owner = try OwnerTable.find(folder: inode, in: db) { return owner.name }
            guard let folder = try FollowedTree.item(of: inode, db)?.folder else { return nil }
            return try OwnerTable.find(folder: folder, in: db)?.name
        }
    }

    /// A digest over the manifest of the content that the region has: the same for the same bytes wherever they lie, as
    /// long as they are cut alike. Nil while what is here is another.
    public func contentDigest(of inode: Inode) throws(Obstacle) -> Digest? { try manifest(of: inode)?.digest }

    /// SHA-256 of the content that the region has, where that is known without reading it: of what is no longer than
    /// one span it is the span's. Nil while what is here is another, and of longer files.
    public func contentSHA256(of inode: Inode) throws(Obstacle) -> Digest? {
        guard let manifest = try manifest(of: inode) else { return nil }
        if manifest.size == 0 { return SHA256.digest(of: []) }
        guard manifest.size <= Limits.spanBytes, manifest.spans.count == 1 else { return nil }
        return manifest.spans.first?.digest
    }

    private func manifest(of inode: Inode) throws(Obstacle) -> Manifest? {
        let node = try tree.stored(inode)
        guard node.attributes.kind == .file, node.content > 0 else { return nil }
        let isOurs = try database.looking { db throws in
            try JournalTable.isPending(inode, in: db) || ContentTable.isDirty(inode, in: db)
        }
        guard !isOurs else { return nil }
        guard let manifest = fetcher.knownManifest(of: node.id, at: node.content) else {
            throw .needs(.manifest(inode))
        }
        return manifest
    }
}

extension Manifest {
    /// Over its size and the digests of its spans, one in a line; a hole has none.
    fileprivate var digest: Digest {
        let lines = ["\(size)"] + spans.map { "\($0.index) \($0.digest.map { "\($0)" } ?? "-")" }
        return SHA256.digest(of: Array(lines.joined(separator: "\n").utf8))
    }
}
