public import DaleksAPI
public import DaleksCore
import DaleksHTTP
import DaleksHTTPClient
import DaleksJSON

/// Files and folders, one at a time: for programs without a journal.
extension FilesClient {
    /// What stands at a path of the caller's own tree; the tree's root where the path is empty.
    public func item(at path: [Name]) throws(ClientFailure) -> NodeRecord {
        guard !path.isEmpty else { return try node(try tree().root) }
        return try get("/v1/items/" + path.map { PercentEncoding.encode(bytes: $0.bytes) }.joined(separator: "/"))
    }

    /// What a folder has under a name; nil where it has nothing.
    public func child(_ name: Name, of folder: NodeID) throws(ClientFailure) -> NodeRecord? {
        // The page before the name ends right before it: names are asked for in the order of their bytes.
        let page = try children(of: folder, after: name.predecessor, limit: 1)
        return page.entries.first { $0.name == name }?.node
    }

    /// From what is the caller's: its root, or the share.
    public func path(of node: NodeID) throws(ClientFailure) -> String {
        let answer: PathAnswer = try get("/v1/nodes/\(node)/path")
        return answer.path
    }

    public func make(_ child: ChildRequest, in folder: NodeID) throws(ClientFailure) -> NodeRecord {
        try ask(.post, "/v1/nodes/\(folder)/children", child)
    }

    public func change(_ node: NodeID, _ change: NodeChange) throws(ClientFailure) -> NodeRecord {
        try ask(.patch, Routes.Files.node(node), change)
    }

    /// To the trash; a folder goes with all that is in it.
    public func discard(_ node: NodeID) throws(ClientFailure) { try order(.delete, Routes.Files.node(node)) }

    // MARK: Sharing

    public func access(to node: NodeID) throws(ClientFailure) -> AccessRecord { try get(Routes.Files.access(to: node)) }

    public func grants(on node: NodeID) throws(ClientFailure) -> [Grant] {
        let list: GrantList = try get(Routes.Files.grants(on: node))
        return list.grants
    }

    public func grant(_ request: GrantRequest, to user: UserID, on node: NodeID) throws(ClientFailure) -> Grant {
        try ask(.put, Routes.Files.grant(to: user, on: node), request)
    }

    public func revoke(from user: UserID, on node: NodeID) throws(ClientFailure) {
        try order(.delete, Routes.Files.grant(to: user, on: node))
    }

    public func publish(_ node: NodeID, _ isPublic: Bool) throws(ClientFailure) -> NodeRecord {
        try ask(.put, Routes.Files.visibility(of: node), VisibilityRequest(isPublic: isPublic))
    }

    public func sharedWithMe(after node: NodeID?) throws(ClientFailure) -> SharedWithMe {
        try get(Routes.Files.sharedWithMe + Self.start(node))
    }

    public func sharedByMe(after node: NodeID?) throws(ClientFailure) -> SharedByMe {
        try get(Routes.Files.sharedByMe + Self.start(node))
    }

    public func makeLink(_ request: LinkRequest, to node: NodeID) throws(ClientFailure) -> LinkRecord {
        try ask(.post, Routes.Files.nodeLinks(of: node), request)
    }

    /// Those to one node, or all that the caller made.
    public func links(to node: NodeID?) throws(ClientFailure) -> [LinkRecord] {
        let list: LinkList = try get(node.map { Routes.Files.nodeLinks(of: $0) } ?? Routes.Files.links)
        return list.links
    }

    public func revoke(_ link: LinkID) throws(ClientFailure) { try order(.delete, Routes.Files.link(link)) }

    // MARK: History

    public func versions(of node: NodeID) throws(ClientFailure) -> VersionList {
        try get(Routes.Files.versions(of: node))
    }

    /// `base` is the content that the caller believes to be the present one.
    public func restore(_ content: Revision, of node: NodeID, base: Revision) throws(ClientFailure) -> NodeRecord {
        try ask(.post, Routes.Files.versionRestore(content, of: node), VersionRestoreRequest(base: base))
    }

    public func trash(after node: NodeID?) throws(ClientFailure) -> TrashPage {
        try get(Routes.Files.trash + Self.start(node))
    }

    public func restore(_ node: NodeID, _ request: TrashRestoreRequest) throws(ClientFailure) -> EntryRecord {
        try ask(.post, Routes.Files.trashRestore(node), request)
    }

    /// Gone for good; all of the trash where no node is named.
    public func erase(_ node: NodeID?) throws(ClientFailure) {
        try order(.delete, node.map { Routes.Files.trashItem($0) } ?? Routes.Files.trash)
    }

    // MARK: Parts

    private static func start(_ node: NodeID?) -> String {
        "?limit=\(Limits.Wire.listPageCountMax)" + (node.map { "&after=\($0)" } ?? "")
    }

    private func ask<Answer: JSONDecodable>(
        _ method: HTTPMethod,
        _ path: String,
        _ body: some JSONEncodable
    ) throws(ClientFailure) -> Answer {
        var request = ClientRequest(method, service.baseURL + path)
        request.fields.set("Content-Type", "application/json")
        request.body = .bytes(body.jsonBytes)
        request.sink = .memory(max: Limits.Client.answerBytesMax)
        request.deadline = Limits.Client.changeDeadline
        return try service.decode(try send(request))
    }

    private func order(_ method: HTTPMethod, _ path: String) throws(ClientFailure) {
        _ = try send(ClientRequest(method, service.baseURL + path, deadline: Limits.Client.changeDeadline))
    }
}

private struct PathAnswer: JSONDecodable {
    let path: String

    init(json: JSONValue) throws(JSONError) { path = try JSONReader(json).string("path") }
}

extension Name {
    /// A name that is right before this one, or at least with nothing that people use in between; nil for the first.
    fileprivate var predecessor: Name? {
        guard let last = bytes.last else { return nil }
        // A byte less at the end and then the largest bytes there are. Neither `/` nor NUL comes about: what is in
        // front of `0` is skipped, and a byte of 1 has only the shorter name before it.
        let before = last == UInt8(ascii: "0") ? UInt8(ascii: ".") : last - 1
        guard last > 1 else { return try? Name(bytes.dropLast()) }
        let filler = [UInt8](repeating: 0xff, count: Limits.nameBytesMax - bytes.count)
        return try? Name(bytes.dropLast() + [before] + filler)
    }
}
