public import DaleksCore
public import DaleksJSON

/// What a device sends: operations in its own order.
public struct MutationBatch: Hashable, Sendable, JSONEncodable, JSONDecodable {
    public var device: DeviceID
    /// Every answer up to here has been taken, and the region may forget it.
    public var acknowledged: Int64
    /// How far the device has followed the tree's feed: a region that was not there yet, or came back from a backup
    /// since, runs nothing of the batch.
    public var cursor: String?
    public var operations: [Operation]

    public init(device: DeviceID, acknowledged: Int64, cursor: String? = nil, operations: [Operation]) {
        self.device = device
        self.acknowledged = acknowledged
        self.cursor = cursor
        self.operations = operations
    }

    public func encode(to json: inout JSONWriter) {
        json.beginObject()
        json.member("device", device)
        json.member("acknowledged", acknowledged)
        json.member("cursor", ifPresent: cursor)
        json.member("operations", operations)
        json.endObject()
    }

    public init(json: JSONValue) throws(JSONError) {
        let reader = JSONReader(json)
        device = try reader.identifier("device")
        acknowledged = try reader.integer("acknowledged", in: 0...Int64.max)
        cursor = try reader.optionalString("cursor")
        operations = try reader.list("operations")
        guard (1...Limits.Wire.batchOperationCountMax).contains(operations.count) else {
            throw reader.refused("operations", "must be 1 to \(Limits.Wire.batchOperationCountMax)")
        }
        for (earlier, later) in zip(operations, operations.dropFirst()) where later.sequence != earlier.sequence + 1 {
            throw reader.refused("operations", "sequence \(later.sequence) does not follow \(earlier.sequence)")
        }
    }
}

/// What became of one operation.
public struct OperationResult: Hashable, Sendable {
    /// Why an operation did not fit the region's present state.
    public enum Conflict: String, Sendable, CaseIterable {
        /// The name is taken by another node.
        case exists
        /// The node, the folder or the entry is gone, or the entry names another node now.
        case missing
        /// The content is not the one that the commit builds on.
        case changed
        case notEmpty = "not_empty"
        /// A folder would come to lie in itself.
        case cycle
        /// A folder where something else was expected, or the reverse.
        case kind
    }

    public enum Outcome: Hashable, Sendable {
        case done(revision: Revision, content: Revision?)
        case known
        case conflict(Conflict, current: NodeRecord?)
        case denied(code: String, detail: String)
        case incomplete(missing: [Digest])
        case waiting
    }

    public var sequence: Int64
    public var outcome: Outcome

    public init(sequence: Int64, outcome: Outcome) {
        self.sequence = sequence
        self.outcome = outcome
    }
}

extension OperationResult: JSONEncodable, JSONDecodable {
    public func encode(to json: inout JSONWriter) {
        json.beginObject()
        json.member("sequence", sequence)
        switch outcome {
        case .done(let revision, let content):
            json.member("status", "done")
            json.member("rev", revision)
            if let content { json.member("content", content) }
        case .known: json.member("status", "known")
        case .conflict(let conflict, let current):
            json.member("status", "conflict")
            json.member("code", conflict.rawValue)
            if let current {
                json.key("node")
                current.encode(to: &json)
            }
        case .denied(let code, let detail):
            json.member("status", "denied")
            json.member("code", code)
            json.member("detail", detail)
        case .incomplete(let missing):
            json.member("status", "incomplete")
            json.member("missing", missing)
        case .waiting: json.member("status", "waiting")
        }
        json.endObject()
    }

    public init(json: JSONValue) throws(JSONError) {
        let reader = JSONReader(json)
        sequence = try reader.integer("sequence", in: 1...Int64.max)
        let status = try reader.string("status")
        switch status {
        case "done":
            outcome = .done(
                revision: try reader.revision("rev"),
                content: reader.has("content") ? try reader.revision("content") : nil
            )
        case "known": outcome = .known
        case "conflict":
            guard let conflict = Conflict(rawValue: try reader.string("code")) else {
                throw reader.refused("code", "is not a conflict that this client knows")
            }
            outcome = .conflict(
                conflict,
                current: reader.has("node") ? try NodeRecord(try reader.object("node")) : nil
            )
        case "denied": outcome = .denied(code: try reader.string("code"), detail: try reader.string("detail"))
        case "incomplete": outcome = .incomplete(missing: try reader.digests("missing"))
        case "waiting": outcome = .waiting
        default: throw reader.refused("status", "`\(status.prefix(32))` is not an outcome that this client knows")
        }
    }
}

/// The answers to a batch, in its order.
public struct BatchAnswer: Hashable, Sendable, JSONEncodable, JSONDecodable {
    public var results: [OperationResult]
    public var cursor: String

    public init(results: [OperationResult], cursor: String) {
        self.results = results
        self.cursor = cursor
    }

    public func encode(to json: inout JSONWriter) {
        json.beginObject()
        json.member("results", results)
        json.member("cursor", cursor)
        json.endObject()
    }

    public init(json: JSONValue) throws(JSONError) {
        let reader = JSONReader(json)
        results = try reader.list("results")
        cursor = try reader.string("cursor")
    }
}
