import DaleksAPI
import DaleksClient
import DaleksCore
import DaleksHTTP
import DaleksHTTPClient
import DaleksSync
import DaleksSystem

/// The region over HTTP, as synchronisation wants to see it.
struct RegionRemote: Remote {
    private let files: FilesClient
    private let http: HTTPClient
    /// Asked once; a region that gains one is asked again at the next start.
    private let known = Lock<Set<Capabilities.Feature>?>(nil)

    init(files: FilesClient, http: HTTPClient) {
        self.files = files
        self.http = http
    }

    func tree() throws(RemoteError) -> TreeRecord {
        try asking { () throws(ClientFailure) in try files.tree() }
    }

    func node(_ id: NodeID) throws(RemoteError) -> NodeRecord {
        try asking { () throws(ClientFailure) in try files.node(id) }
    }

    func children(of id: NodeID, after name: Name?, limit: Int) throws(RemoteError) -> ChildrenPage {
        try asking { () throws(ClientFailure) in try files.children(of: id, after: name, limit: limit) }
    }

    func mutate(_ batch: MutationBatch) throws(RemoteError) -> BatchAnswer {
        try asking { () throws(ClientFailure) in try files.mutate(batch) }
    }

    func missing(_ digests: [Digest]) throws(RemoteError) -> [Digest] {
        try asking { () throws(ClientFailure) in try files.missing(digests) }
    }

    func put(_ bytes: [UInt8], digest: Digest) throws(RemoteError) {
        try asking { () throws(ClientFailure) in try files.put(bytes, digest: digest) }
    }

    func put(_ chunks: [ChunkBatch.Member]) throws(RemoteError) {
        guard chunks.count > 1, features.contains(.chunkBatches) else {
            for chunk in chunks { try put(chunk.content, digest: chunk.digest) }
            return
        }
        try asking { () throws(ClientFailure) in try files.put(chunks) }
    }

    var features: Set<Capabilities.Feature> {
        if let known = known.withLock({ $0 }) { return known }
        // While it does not answer, what every region can do is enough.
        guard let answer = try? files.capabilities() else { return [] }
        let features = Set(answer.features)
        known.withLock { $0 = features }
        return features
    }

    func manifest(of id: NodeID, at revision: Revision) throws(RemoteError) -> Manifest {
        try asking { () throws(ClientFailure) in try files.manifest(of: id, at: revision) }
    }

    func span(_ index: Int, of id: NodeID, at revision: Revision) throws(RemoteError) -> [UInt8] {
        try asking { () throws(ClientFailure) in try files.span(index, of: id, at: revision) }
    }

    func changes(after cursor: String, waitSeconds: Int) throws(RemoteError) -> ChangesPage {
        try asking { () throws(ClientFailure) in try files.changes(after: cursor, waitSeconds: waitSeconds) }
    }

    func usage() throws(RemoteError) -> UsageRecord {
        try asking { () throws(ClientFailure) in try files.usage() }
    }

    func cancelAll() { http.shutdown() }

    private func asking<Answer>(
        _ question: () throws(ClientFailure) -> Answer
    ) throws(RemoteError) -> Answer {
        do throws(ClientFailure) {
            return try question()
        } catch {
            throw RemoteError(error)
        }
    }
}

extension RemoteError {
    init(_ failure: ClientFailure) {
        switch failure {
        case .unreachable(let detail), .malformed(let detail): self = .unreachable(detail)
        case .loggedOut: self = .loggedOut
        case .canceled: self = .canceled
        case .refused(let status, let code, let detail):
            switch (status, APIError.Code(rawValue: code)) {
            case (_, .cursorExpired): self = .cursorExpired
            case (_, .deviceForked): self = .deviceForked
            case (_, .notFound), (404, _): self = .notFound
            case (401, _): self = .loggedOut
            default: self = .refused(code: code, detail: detail)
            }
        }
    }
}
