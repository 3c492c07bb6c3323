import DaleksAPI
import DaleksCore
import DaleksHTTP

/// Where content is to go, and under what conditions.
struct WriteTarget: Sendable {
    enum Place: Sendable {
        case node(NodeID)
        case name(parent: NodeID, name: Name)
    }

    let place: Place
    /// If-Match and If-None-Match.
    let fields: HTTPFields
    /// The content that it builds on, where the caller named one.
    var base: Revision?

    init(_ place: Place, _ fields: HTTPFields = HTTPFields(), base: Revision? = nil) {
        self.place = place
        self.fields = fields
        self.base = base
    }

    /// A node that tells in which tree it is.
    var anchor: NodeID {
        switch place {
        case .node(let id): id
        case .name(let parent, _): parent
        }
    }

    /// Throws where the conditions do not hold for what is there now.
    func check(_ node: StoredNode?) throws(APIError) {
        if let base, base != node?.content ?? 0 { throw APIError(.revisionConflict, "the content is another by now") }
        let tag = node.flatMap { EntityTag("\($0.content)") }
        guard Conditional.evaluate(.put, fields, tag: tag, exists: node != nil) == .proceed else {
            throw .preconditionFailed(node == nil ? "there is nothing there" : "the content is another by now")
        }
    }
}

/// Content that is stored and waits for its place.
final class WrittenContent {
    let size: Int64
    let spans: [Span]
    let digest: Digest?
    let modified: Timestamp?
    /// Chunks that are safe and enter the index with the content, and whose they are.
    let entering: [StoredChunk]
    let place: TreeStore.ChunkPlace?
    /// The revision that it became.
    var afterCommit: Revision?
    /// Of those that entered: where the same bytes were there already.
    var unneeded: [ChunkLocation] = []

    init(
        size: Int64,
        spans: [Span],
        digest: Digest?,
        modified: Timestamp? = nil,
        entering: [StoredChunk] = [],
        in place: TreeStore.ChunkPlace? = nil
    ) {
        self.size = size
        self.spans = spans
        self.digest = digest
        self.modified = modified
        // In one order, so that two who enter the same ones do not wait for each other in a ring.
        self.entering = entering.sorted { $0.digest.bytes.lexicographicallyPrecedes($1.digest.bytes) }
        self.place = place
    }
}
