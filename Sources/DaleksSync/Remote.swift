public import DaleksAPI
public import DaleksCore

/// The region, as synchronisation sees it. Calls block and belong on threads that may wait; each has a deadline of its
/// own and ends with `canceled` soon after `cancelAll`.
public protocol Remote: Sendable {
    func tree() throws(RemoteError) -> TreeRecord
    func node(_ id: NodeID) throws(RemoteError) -> NodeRecord
    func children(of id: NodeID, after name: Name?, limit: Int) throws(RemoteError) -> ChildrenPage
    func mutate(_ batch: MutationBatch) throws(RemoteError) -> BatchAnswer
    func missing(_ digests: [Digest]) throws(RemoteError) -> [Digest]
    func put(_ bytes: [UInt8], digest: Digest) throws(RemoteError)
    /// Many at once; all of them are there when it returns.
    func put(_ chunks: [ChunkBatch.Member]) throws(RemoteError)
    /// The same for somebody else's tree: `node` is one there that the account may write to; nil for its own.
    func missing(_ digests: [Digest], for node: NodeID?) throws(RemoteError) -> [Digest]
    func put(_ chunks: [ChunkBatch.Member], for node: NodeID?) throws(RemoteError)
    /// What the region can do beside what the first version of the wire could, as far as that is known.
    var features: Set<Capabilities.Feature> { get }
    func manifest(of id: NodeID, at revision: Revision) throws(RemoteError) -> Manifest
    func span(_ index: Int, of id: NodeID, at revision: Revision) throws(RemoteError) -> [UInt8]
    /// Stretches of many files at once, answered in order (feature `batchedReads`, and `readDigests` for the digests).
    func read(_ asking: ContentReads) throws(RemoteError) -> [ContentAnswers.Answer]
    /// `device`: who asks; a region that can tells it in short what it did itself.
    func changes(after cursor: String, by device: DeviceID, waitSeconds: Int) throws(RemoteError) -> ChangesPage
    func usage() throws(RemoteError) -> UsageRecord
    /// Who else may see or change a node. People are named by e-mail address, handle or id, as they are called.
    func publish(_ id: NodeID, _ isPublic: Bool) throws(RemoteError)
    func grant(_ rights: Rights, to who: String, on id: NodeID) throws(RemoteError)
    func revoke(from who: String, on id: NodeID) throws(RemoteError)
    /// What somebody was granted on that very node; nil where nothing was.
    func granted(to who: String, on id: NodeID) throws(RemoteError) -> Rights?
    /// Leases (feature `leases`). Who asks says which device of the account it is.
    func takeLease(_ request: LeaseRequest, on id: NodeID) throws(RemoteError) -> LeaseRecord
    func returnLease(_ number: Int64, of device: DeviceID, on id: NodeID) throws(RemoteError)
    func watchLeases(_ watch: LeaseWatch) throws(RemoteError) -> LeaseNews
    func cancelAll()
}

extension Remote {
    public var features: Set<Capabilities.Feature> { [] }

    public func put(_ chunks: [ChunkBatch.Member]) throws(RemoteError) {
        for chunk in chunks { try put(chunk.content, digest: chunk.digest) }
    }

    public func read(_ asking: ContentReads) throws(RemoteError) -> [ContentAnswers.Answer] {
        throw .refused(code: "unsupported", detail: "this region reads one stretch at a time")
    }

    public func publish(_ id: NodeID, _ isPublic: Bool) throws(RemoteError) { throw Self.unsupported }
    public func grant(_ rights: Rights, to who: String, on id: NodeID) throws(RemoteError) { throw Self.unsupported }
    public func revoke(from who: String, on id: NodeID) throws(RemoteError) { throw Self.unsupported }
    public func granted(to who: String, on id: NodeID) throws(RemoteError) -> Rights? { throw Self.unsupported }

    // As a region answers that knows no leases.
    public func takeLease(_ request: LeaseRequest, on id: NodeID) throws(RemoteError) -> LeaseRecord { throw .notFound }
    public func returnLease(_ number: Int64, of device: DeviceID, on id: NodeID) throws(RemoteError) {
        throw .notFound
    }
    public func watchLeases(_ watch: LeaseWatch) throws(RemoteError) -> LeaseNews { throw .notFound }

    private static var unsupported: RemoteError {
        .refused(code: "unsupported", detail: "sharing is not arranged from here")
    }

    public func missing(_ digests: [Digest], for node: NodeID?) throws(RemoteError) -> [Digest] { try missing(digests) }

    public func put(_ chunks: [ChunkBatch.Member], for node: NodeID?) throws(RemoteError) { try put(chunks) }
}

public enum RemoteError: Error, Hashable, Sendable {
    /// No answer, or one that asks to come again. Nothing is known about what the region did.
    case unreachable(String)
    /// The log-in ended: the user must log in again.
    case loggedOut
    /// The region does not know the thing, or we may not see it.
    case notFound
    /// The region can no longer tell what changed since the cursor: list again.
    case cursorExpired
    /// Another machine used our device id: take a new one.
    case deviceForked
    /// The region understood and will not.
    case refused(code: String, detail: String)
    case canceled
}
