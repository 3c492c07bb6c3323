import DaleksCore
public import DaleksJSON

/// A mutation with its place in the device's order.
public struct Operation: Hashable, Sendable {
    public var sequence: Int64
    public var mutation: Mutation

    public init(sequence: Int64, mutation: Mutation) {
        self.sequence = sequence
        self.mutation = mutation
    }
}

extension Operation: JSONEncodable, JSONDecodable {
    public func encode(to json: inout JSONWriter) {
        json.beginObject()
        json.member("sequence", sequence)
        json.member("op", mutation.word)
        switch mutation {
        case .create(let creation): creation.encodeMembers(to: &json)
        case .rename(let rename): rename.encodeMembers(to: &json)
        case .attributes(let change): change.encodeMembers(to: &json)
        case .extended(let change): change.encodeMembers(to: &json)
        case .commit(let commit): commit.encodeMembers(to: &json)
        case .link(let parent, let name, let node, let time), .remove(let parent, let name, let node, let time):
            json.member("parent", parent)
            json.name(name)
            json.member("node", node)
            json.member("time", time.nanoseconds)
        }
        json.endObject()
    }

    public init(json: JSONValue) throws(JSONError) {
        let reader = JSONReader(json)
        sequence = try reader.integer("sequence", in: 1...Int64.max)
        let word = try reader.string("op")
        switch word {
        case "create": mutation = .create(try Mutation.Creation(reader))
        case "rename": mutation = .rename(try Mutation.Rename(reader))
        case "attributes": mutation = .attributes(try Mutation.AttributeChange(reader))
        case "xattr": mutation = .extended(try Mutation.ExtendedChange(reader))
        case "commit": mutation = .commit(try Mutation.Commit(reader))
        case "link", "remove":
            let (parent, name): (NodeID, Name) = (try reader.identifier("parent"), try reader.name())
            let (node, time): (NodeID, Timestamp) = (try reader.identifier("node"), try reader.time("time"))
            mutation =
                word == "link"
                ? .link(parent: parent, name: name, node: node, time: time)
                : .remove(parent: parent, name: name, node: node, time: time)
        default: throw reader.refused("op", "`\(word.prefix(32))` is not an operation that this region knows")
        }
    }
}

extension Mutation.Creation {
    func encodeMembers(to json: inout JSONWriter) {
        json.member("parent", parent)
        json.name(name)
        json.member("node", node)
        json.member("kind", kind.word)
        json.member("mode", Int64(mode))
        json.member("uid", Int64(uid))
        json.member("gid", Int64(gid))
        json.member("time", time.nanoseconds)
        if let target { json.member("target", Base64.encode(target)) }
        if device != 0 { json.member("device", Int64(device)) }
    }

    init(_ json: JSONReader) throws(JSONError) {
        let kind = try json.kind("kind")
        let target = try json.optionalBytes("target")
        guard (kind == .symlink) == (target != nil),
            target.map({ (1...Limits.pathBytesMax).contains($0.count) }) ?? true
        else {
            throw json.refused("target", "a symlink has one of 1 to \(Limits.pathBytesMax) bytes, nothing else has")
        }
        self.init(
            parent: try json.identifier("parent"),
            name: try json.name(),
            node: try json.identifier("node"),
            kind: kind,
            mode: try json.mode("mode"),
            uid: try json.word32("uid"),
            gid: try json.word32("gid"),
            time: try json.time("time"),
            target: target,
            device: json.has("device") ? try json.word32("device") : 0
        )
    }
}

extension Mutation.Rename {
    func encodeMembers(to json: inout JSONWriter) {
        json.member("parent", parent)
        json.name(name)
        json.member("node", node)
        json.member("to_parent", toParent)
        json.name(toName, prefix: "to_")
        if let replaces { json.member("replaces", replaces) }
        if isExchange { json.member("exchange", true) }
        json.member("time", time.nanoseconds)
    }

    init(_ json: JSONReader) throws(JSONError) {
        self.init(
            parent: try json.identifier("parent"),
            name: try json.name(),
            node: try json.identifier("node"),
            toParent: try json.identifier("to_parent"),
            toName: try json.name(prefix: "to_"),
            replaces: try json.optionalIdentifier("replaces"),
            isExchange: try json.optionalBool("exchange") ?? false,
            time: try json.time("time")
        )
        guard !isExchange || replaces != nil else { throw json.refused("replaces", "an exchange needs both nodes") }
    }
}

extension Mutation.AttributeChange {
    func encodeMembers(to json: inout JSONWriter) {
        json.member("node", node)
        if let mode { json.member("mode", Int64(mode)) }
        if let uid { json.member("uid", Int64(uid)) }
        if let gid { json.member("gid", Int64(gid)) }
        if let accessed { json.member("atime", accessed.nanoseconds) }
        if let modified { json.member("mtime", modified.nanoseconds) }
        json.member("time", time.nanoseconds)
    }

    init(_ json: JSONReader) throws(JSONError) {
        self.init(
            node: try json.identifier("node"),
            mode: json.has("mode") ? try json.mode("mode") : nil,
            uid: json.has("uid") ? try json.word32("uid") : nil,
            gid: json.has("gid") ? try json.word32("gid") : nil,
            accessed: json.has("atime") ? try json.time("atime") : nil,
            modified: json.has("mtime") ? try json.time("mtime") : nil,
            time: try json.time("time")
        )
    }
}

extension Mutation.ExtendedChange {
    func encodeMembers(to json: inout JSONWriter) {
        json.member("node", node)
        json.extendedName(name)
        if let value { json.member("value", Base64.encode(value)) }
        json.member("time", time.nanoseconds)
    }

    init(_ json: JSONReader) throws(JSONError) {
        self.init(
            node: try json.identifier("node"),
            name: try json.extendedName(),
            value: try json.optionalBytes("value"),
            time: try json.time("time")
        )
        var probe = ExtendedAttributes()
        guard probe.set(name, to: value ?? []) else {
            throw json.refused(
                "name",
                "has 1 to \(Limits.extendedNameBytesMax) bytes, a value \(Limits.extendedValueBytesMax)"
            )
        }
    }
}

extension Mutation.Commit {
    func encodeMembers(to json: inout JSONWriter) {
        json.member("node", node)
        json.key("base")
        json.beginObject()
        switch base {
        case .content(let revision): json.member("content", revision)
        case .operation(let sequence): json.member("operation", sequence)
        }
        json.endObject()
        json.member("size", size)
        json.member("spans", spans)
        json.member("mtime", modified.nanoseconds)
        json.member("time", time.nanoseconds)
    }

    init(_ json: JSONReader) throws(JSONError) {
        let base = try json.object("base")
        self.init(
            node: try json.identifier("node"),
            base: base.has("operation")
                ? .operation(try base.integer("operation", in: 1...Int64.max)) : .content(try base.revision("content")),
            size: try json.integer("size", in: 0...Limits.fileBytesMax),
            spans: try json.list("spans"),
            modified: try json.time("mtime"),
            time: try json.time("time")
        )
        try checkSpans(json)
    }

    /// In order, each once, each as long as the file's size makes it.
    private func checkSpans(_ json: JSONReader) throws(JSONError) {
        var last = -1
        for span in spans {
            let start = Int64(span.index) * Int64(Limits.spanBytes)
            guard span.index > last else { throw json.refused("spans", "must be in order of index, each once") }
            guard start < size, Int64(span.bytes) == min(Int64(Limits.spanBytes), size - start) else {
                throw json.refused("spans", "span \(span.index) does not fit a file of \(size) bytes")
            }
            if case .split(let split) = span.source { try check(split, of: span, json) }
            last = span.index
        }
    }

    /// A commit changes pieces of what its base has, so it names nothing that they lie over.
    private func check(_ split: SplitSpan, of span: Span, _ json: JSONReader) throws(JSONError) {
        guard split.over == nil else { throw json.refused("spans", "a commit has no `over`") }
        for piece in split.pieces {
            let rest = span.bytes - piece.index * Limits.pieceBytes
            guard rest > 0, piece.bytes == min(Limits.pieceBytes, rest) else {
                throw json.refused("spans", "piece \(piece.index) does not fit span \(span.index)")
            }
        }
    }
}
