public import DaleksCore

/// The conditions of RFC 9110, 13: whether a request is to be done at all, given the state that is there.
public enum Conditional {
    public enum Outcome: Sendable, Equatable {
        case proceed
        /// Answer 304.
        case notModified
        /// Answer 412.
        case preconditionFailed
    }

    /// Whether a request has any condition, or wants a part: most have and want none, and need no validator read.
    public static func stand(in fields: HTTPFields) -> Bool {
        fields.all.contains { field in
            let name = field.name.utf8
            switch name.first {
            case UInt8(ascii: "I"), UInt8(ascii: "i"): return name.dropFirst(2).first == UInt8(ascii: "-")
            case UInt8(ascii: "R"), UInt8(ascii: "r"): return HTTPGrammar.equalIgnoringCase(field.name, "Range")
            default: return false
            }
        }
    }

    /// In the order of 13.2.2. Nil `tag` and `modified` where the resource has none; `exists` is false where there is
    /// no resource (then If-Match never holds, and If-None-Match always).
    public static func evaluate(
        _ method: HTTPMethod,
        _ fields: HTTPFields,
        tag: EntityTag?,
        modified: Timestamp? = nil,
        exists: Bool = true
    ) -> Outcome {
        if let text = fields.list("If-Match") {
            guard exists, matches(text, tag, strongly: true) else { return .preconditionFailed }
        } else if let since = fields["If-Unmodified-Since"].flatMap(HTTPDate.parse), let modified {
            guard modified.seconds <= since.seconds else { return .preconditionFailed }
        }
        let looks = method == .get || method == .head
        if let text = fields.list("If-None-Match") {
            guard exists, matches(text, tag, strongly: false) else { return .proceed }
            return looks ? .notModified : .preconditionFailed
        }
        if looks, let since = fields["If-Modified-Since"].flatMap(HTTPDate.parse), let modified {
            return modified.seconds <= since.seconds ? .notModified : .proceed
        }
        return .proceed
    }

    /// Whether a Range header counts: If-Range is absent, or names exactly this state.
    public static func allowsRange(_ fields: HTTPFields, tag: EntityTag?, modified: Timestamp? = nil) -> Bool {
        guard let text = fields["If-Range"] else { return true }
        if let asked = EntityTag(parsing: text) { return tag.map(asked.matchesStrongly) ?? false }
        guard let asked = HTTPDate.parse(text), let modified else { return false }
        return modified.seconds == asked.seconds
    }

    private static func matches(_ text: String, _ tag: EntityTag?, strongly: Bool) -> Bool {
        switch EntityTagList(parsing: text) {
        case nil: false
        case .any: true
        case .tags(let tags):
            tag.map { tag in tags.contains { strongly ? $0.matchesStrongly(tag) : $0.matchesWeakly(tag) } } ?? false
        }
    }
}
