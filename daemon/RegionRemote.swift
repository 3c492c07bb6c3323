import DaleksAPI
import DaleksClient
import DaleksCore
import DaleksHTTP
import DaleksHTTPClient
import DaleksJSON
import DaleksSync
import DaleksSystem

/// The region over HTTP, as synchronisation wants to see it.
struct RegionRemote: Remote {
    private let files: FilesClient
    private let http: HTTPClient
    /// Who asks, and whom to ask what people are called; where nothing of others is shown, nobody.
    private let people: (account: AccountClient, own: UserID)?
    /// Asked once; a region that gains one is asked again at the next start.
    private let known = Lock<Set<Capabilities.Feature>?>(nil)

    private let measures: RegionMeasures

    init(
        files: FilesClient,
        http: HTTPClient,
        measures: RegionMeasures,
        people: (account: AccountClient, own: UserID)? = nil
    ) {
        self.measures = measures
        self.people = people
        self.files = files
        self.http = http
    }

    func tree() throws(RemoteError) -> TreeRecord {
        try asking(.lookup) { () throws(ClientFailure) in try files.tree() }
    }

    func node(_ id: NodeID) throws(RemoteError) -> NodeRecord {
        try asking(.lookup) { () throws(ClientFailure) in try files.node(id) }
    }

    func children(of id: NodeID, after name: Name?, limit: Int) throws(RemoteError) -> ChildrenPage {
        try asking(.listing) { () throws(ClientFailure) in try files.children(of: id, after: name, limit: limit) }
    }

    func mutate(_ batch: MutationBatch) throws(RemoteError) -> BatchAnswer {
        try asking(.batch) { () throws(ClientFailure) in try files.mutate(batch) }
    }

    func missing(_ digests: [Digest]) throws(RemoteError) -> [Digest] { try missing(digests, for: nil) }

    func missing(_ digests: [Digest], for node: NodeID?) throws(RemoteError) -> [Digest] {
        try asking(.missing) { () throws(ClientFailure) in try files.missing(digests, for: node) }
    }

    func put(_ bytes: [UInt8], digest: Digest) throws(RemoteError) {
        try asking(.upload) { () throws(ClientFailure) in try files.put(bytes, digest: digest) }
        measures.sent(bytes.count)
    }

    func put(_ chunks: [ChunkBatch.Member]) throws(RemoteError) { try put(chunks, for: nil) }

    func put(_ chunks: [ChunkBatch.Member], for node: NodeID?) throws(RemoteError) {
        guard chunks.count > 1, features.contains(.chunkBatches) else {
            for chunk in chunks {
                try asking(.upload) { () throws(ClientFailure) in
                    try files.put(chunk.content, digest: chunk.digest, for: node)
                }
                measures.sent(chunk.content.count)
            }
            return
        }
        try asking(.upload) { () throws(ClientFailure) in try files.put(chunks, for: node) }
        measures.sent(chunks.reduce(0) { $0 + $1.content.count })
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
        try asking(.lookup) { () throws(ClientFailure) in try files.manifest(of: id, at: revision) }
    }

    func span(_ index: Int, of id: NodeID, at revision: Revision) throws(RemoteError) -> [UInt8] {
        let bytes = try asking(.download) { () throws(ClientFailure) in
            try files.span(index, of: id, at: revision)
        }
        measures.received(bytes.count)
        return bytes
    }

    func read(_ reads: ContentReads) throws(RemoteError) -> [ContentAnswers.Answer] {
        let answers = try asking(.download) { () throws(ClientFailure) in try files.read(reads) }
        let bytes = answers.reduce(0) { sum, answer in
            switch answer {
            case .bytes(let bytes), .whole(_, let bytes): sum + bytes.count
            case .problem, .later: sum
            }
        }
        measures.received(bytes)
        return answers
    }

    func changes(after cursor: String, by device: DeviceID, waitSeconds: Int) throws(RemoteError) -> ChangesPage {
        try asking(.changes) { () throws(ClientFailure) in
            try files.changes(after: cursor, by: device, waitSeconds: waitSeconds)
        }
    }

    func usage() throws(RemoteError) -> UsageRecord {
        try asking(.lookup) { () throws(ClientFailure) in try files.usage() }
    }

    func publish(_ id: NodeID, _ isPublic: Bool) throws(RemoteError) {
        try asking(.sharing) { () throws(ClientFailure) in _ = try files.publish(id, isPublic) }
    }

    func grant(_ rights: Rights, to who: String, on id: NodeID) throws(RemoteError) {
        let user = try find(who)
        try asking(.sharing) { () throws(ClientFailure) in
            _ = try files.grant(GrantRequest(rights: rights), to: user, on: id)
        }
    }

    func revoke(from who: String, on id: NodeID) throws(RemoteError) {
        let user = try find(who)
        try asking(.sharing) { () throws(ClientFailure) in try files.revoke(from: user, on: id) }
    }

    func granted(to who: String, on id: NodeID) throws(RemoteError) -> Rights? {
        let user = try find(who)
        let grants = try asking(.sharing) { () throws(ClientFailure) in try files.grants(on: id) }
        let now = TimeSource.system.wall
        return grants.first { $0.user == user && $0.expires.map { $0 > now } ?? true }?.rights
    }

    /// Exactly by address, handle or id: the wrong person must not be given anything.
    private func find(_ who: String) throws(RemoteError) -> UserID {
        if let id = UserID(who) { return id }
        guard let people else { throw .notFound }
        let key = who.contains("@") ? "email" : "handle"
        let path = "\(Routes.Users.find)?\(key)=\(PercentEncoding.encode(who))"
        let answer = try asking(.sharing) { () throws(ClientFailure) in try people.account.ask(.get, path) }
        do throws(JSONError) { return try JSONReader(answer).identifier("id") } catch {
            throw .unreachable("the users service's answer cannot be read: \(error)")
        }
    }

    func takeLease(_ request: LeaseRequest, on id: NodeID) throws(RemoteError) -> LeaseRecord {
        try asking(.lease) { () throws(ClientFailure) in try files.takeLease(request, on: id) }
    }

    func returnLease(_ number: Int64, of device: DeviceID, on id: NodeID) throws(RemoteError) {
        try asking(.lease) { () throws(ClientFailure) in try files.returnLease(number, of: device, on: id) }
    }

    func watchLeases(_ watch: LeaseWatch) throws(RemoteError) -> LeaseNews {
        try asking(.lease) { () throws(ClientFailure) in try files.watchLeases(watch) }
    }

    func cancelAll() { http.shutdown() }

    private func asking<Answer>(
        _ kind: RegionMeasures.Kind,
        _ question: () throws(ClientFailure) -> Answer
    ) throws(RemoteError) -> Answer {
        let began = TimeSource.system.now
        do throws(ClientFailure) {
            let answer = try question()
            measures.answered(kind, after: TimeSource.system.now - began)
            return answer
        } catch {
            measures.failed(kind)
            throw RemoteError(error)
        }
    }
}

extension RegionRemote: SharingRemote {
    func sharedWithMe(after node: NodeID?) throws(RemoteError) -> SharedWithMe {
        try asking(.listing) { () throws(ClientFailure) in try files.sharedWithMe(after: node) }
    }

    func follow(_ request: FollowRequest, until interruption: Interruption) throws(RemoteError) -> FollowAnswer {
        try asking(.changes) { () throws(ClientFailure) in
            try files.follow(request) { cancel in interruption.onInterrupt(cancel) }
        }
    }

    func names(of ids: [UserID]) throws(RemoteError) -> [UserID: String] {
        guard let people else { return [:] }
        var names: [UserID: String] = [:]
        for start in stride(from: 0, to: ids.count, by: Limits.Wire.nameQueryCountMax) {
            let some = ids[start..<min(ids.count, start + Limits.Wire.nameQueryCountMax)]
            let body = JSONObject([("ids", .array(some.map { .string("\($0)") }))])
            let answer = try asking(.sharing) { () throws(ClientFailure) in
                try people.account.ask(.post, Routes.Users.names, body)
            }
            for user in (try? JSONReader(answer).array("users")) ?? [] {
                guard let id: UserID = try? user.identifier("id") else { continue }
                names[id] = ((try? user.optionalString("handle")) ?? nil) ?? (try? user.string("name"))
            }
        }
        return names
    }

    func leave(_ node: NodeID) throws(RemoteError) {
        guard let people else { throw .notFound }
        try asking(.sharing) { () throws(ClientFailure) in try files.revoke(from: people.own, on: node) }
    }
}

extension RemoteError {
    init(_ failure: ClientFailure) {
        switch failure {
        case .unreachable(let detail), .malformed(let detail): self = .unreachable(detail)
        case .unprotected: self = .unreachable("\(failure)")
        case .loggedOut: self = .loggedOut
        case .canceled: self = .canceled
        case .refused(let status, let code, let detail):
            switch (status, APIError.Code(rawValue: code)) {
            case (_, .cursorExpired): self = .cursorExpired
            case (_, .deviceForked): self = .deviceForked
            case (_, .notFound), (404, _): self = .notFound
            case (401, _): self = .loggedOut
            // Parts that wait to become files take up the quota: they become files, or are given up.
            case (507, _): self = .unreachable(detail)
            default: self = .refused(code: code, detail: detail)
            }
        }
    }
}
