import DaleksAPI
import DaleksCore
import DaleksCrypto
import DaleksHTTP
import DaleksJSON

/// A batch as the engine runs it: checked, with small contents turned into chunks.
struct PreparedBatch: Sendable {
    struct Step: Sendable {
        enum Work: Sendable {
            case mutation(Mutation)
            /// It can be read as an operation but not as one of ours; it takes its sequence all the same, so that a
            /// device is not stuck behind it.
            case refused(code: String, detail: String)
        }

        let sequence: Int64
        /// What makes two operations the same: its meaning, not its spelling. The bytes of an inline span and the
        /// digest of a chunk put before are one meaning.
        let digest: Digest
        let work: Work
    }

    let device: DeviceID
    let acknowledged: Int64
    /// How far the device has followed the caller's own tree; nil where it does not say.
    let cursor: Cursor?
    let steps: [Step]
    /// What came inline, each once.
    let contents: [ChunkContent]
    /// For which files each of them came.
    let filesOfContents: [Digest: Set<NodeID>]

    init(body: [UInt8]) throws(APIError) {
        do throws(JSONError) {
            try self.init(json: try JSONValue.parse(body, limits: JSONLimits(bytesMax: Limits.Wire.batchBytesMax)))
        } catch {
            throw .malformed("the batch cannot be read: \(error)")
        }
        guard steps.count <= Limits.Wire.batchOperationCountMax else {
            throw .tooLarge("a batch has no more than \(Limits.Wire.batchOperationCountMax) operations")
        }
    }

    init(_ batch: MutationBatch) {
        device = batch.device
        acknowledged = batch.acknowledged
        cursor = batch.cursor.flatMap { Cursor($0) }
        var inline = InlineContents()
        steps = batch.operations.map { Step($0, collecting: &inline) }
        contents = Array(inline.contents.values)
        filesOfContents = inline.files
    }

    private init(json: JSONValue) throws(JSONError) {
        let reader = JSONReader(json)
        device = try reader.identifier("device")
        acknowledged = try reader.integer("acknowledged", in: 0...Int64.max)
        if let text = try reader.optionalString("cursor") {
            guard let cursor = Cursor(text) else { throw reader.failure("has a cursor that is not one of this region") }
            self.cursor = cursor
        } else {
            cursor = nil
        }
        let members = try reader.array("operations")
        guard !members.isEmpty else { throw reader.failure("has no operations") }
        var inline = InlineContents()
        var steps: [Step] = []
        // One more than the limit is enough to see that there are too many.
        for member in members.prefix(Limits.Wire.batchOperationCountMax + 1) {
            let sequence = try member.integer("sequence", in: 1...Int64.max - 1)
            if let last = steps.last, sequence != last.sequence + 1 {
                throw member.failure("does not follow sequence \(last.sequence)")
            }
            steps.append(try Step(member, sequence, collecting: &inline))
        }
        self.steps = steps
        contents = Array(inline.contents.values)
        filesOfContents = inline.files
    }

    /// Which folder each file is made in that this batch makes.
    var parentsOfCreations: [NodeID: NodeID] {
        var parents: [NodeID: NodeID] = [:]
        for case .mutation(.create(let creation)) in steps.map(\.work) { parents[creation.node] = creation.parent }
        return parents
    }
}

/// Contents that operations carry themselves.
struct InlineContents {
    var contents: [Digest: ChunkContent] = [:]
    var files: [Digest: Set<NodeID>] = [:]
}

extension PreparedBatch.Step {
    init(_ operation: Operation, collecting inline: inout InlineContents) {
        var operation = operation
        if case .commit(var commit) = operation.mutation {
            let node = commit.node
            for index in commit.spans.indices {
                commit.spans[index].takeInline { bytes in
                    let content = ChunkContent(bytes)
                    inline.contents[content.digest] = content
                    inline.files[content.digest, default: []].insert(node)
                    return content.digest
                }
            }
            operation.mutation = .commit(commit)
        }
        sequence = operation.sequence
        digest = SHA256.digest(of: operation.jsonBytes)
        work = .mutation(operation.mutation)
    }

    fileprivate init(
        _ json: JSONReader,
        _ sequence: Int64,
        collecting inline: inout InlineContents
    ) throws(JSONError) {
        let word = try json.string("op", bytesMax: 64)
        guard Mutation.words.contains(word) else {
            self.init(json, sequence, refusing: "unsupported", "`\(word)` is not an operation that this region knows")
            return
        }
        do throws(JSONError) {
            self.init(try Operation(json: json.value), collecting: &inline)
        } catch {
            self.init(json, sequence, refusing: "malformed", error.description)
        }
    }

    private init(_ json: JSONReader, _ sequence: Int64, refusing code: String, _ detail: String) {
        self.sequence = sequence
        digest = SHA256.digest(of: json.value.serialized())
        work = .refused(code: code, detail: detail)
    }
}
