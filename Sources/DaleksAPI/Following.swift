public import DaleksCore
public import DaleksJSON

/// The question what happened in several trees.
public struct FollowRequest: Hashable, Sendable, JSONEncodable, JSONDecodable {
    public struct Place: Hashable, Sendable, JSONEncodable, JSONDecodable {
        public var owner: UserID
        public var cursor: String

        public init(owner: UserID, cursor: String) {
            self.owner = owner
            self.cursor = cursor
        }

        public func encode(to json: inout JSONWriter) {
            json.beginObject()
            json.member("owner", owner)
            json.member("after", cursor)
            json.endObject()
        }

        public init(json: JSONValue) throws(JSONError) {
            let reader = JSONReader(json)
            owner = try reader.identifier("owner")
            cursor = try reader.string("after", bytesMax: 64)
        }
    }

    public var places: [Place]
    public var waitSeconds: Int

    public init(_ places: [Place], waitSeconds: Int) {
        self.places = places
        self.waitSeconds = waitSeconds
    }

    public func encode(to json: inout JSONWriter) {
        json.beginObject()
        json.member("follow", places)
        json.member("wait", waitSeconds)
        json.endObject()
    }

    public init(json: JSONValue) throws(JSONError) {
        let reader = JSONReader(json)
        places = try reader.list("follow")
        waitSeconds = try reader.optionalInteger("wait", in: 0...Int.max) ?? 0
        guard (1...Limits.Wire.followedTreeCountMax).contains(places.count),
            Set(places.map(\.owner)).count == places.count
        else { throw reader.refused("follow", "must name 1 to \(Limits.Wire.followedTreeCountMax) trees, each once") }
    }
}

/// What happened in those trees where something did.
public struct FollowAnswer: Hashable, Sendable, JSONEncodable, JSONDecodable {
    public enum Outcome: Hashable, Sendable {
        case changes(ChangesPage)
        /// List again.
        case cursorExpired
        /// Nothing of this tree is visible any more.
        case notFound
    }

    public struct Page: Hashable, Sendable {
        public var owner: UserID
        public var outcome: Outcome

        public init(owner: UserID, outcome: Outcome) {
            self.owner = owner
            self.outcome = outcome
        }
    }

    public var pages: [Page]

    public init(_ pages: [Page]) { self.pages = pages }

    public func encode(to json: inout JSONWriter) { json.object { $0.member("pages", pages) } }

    public init(json: JSONValue) throws(JSONError) { pages = try JSONReader(json).list("pages") }
}

extension FollowAnswer.Page: JSONEncodable, JSONDecodable {
    public func encode(to json: inout JSONWriter) {
        json.beginObject()
        json.member("owner", owner)
        switch outcome {
        case .changes(let page):
            json.member("changes", page.changes)
            json.member("cursor", page.cursor)
        case .cursorExpired: json.member("error", "cursor_expired")
        case .notFound: json.member("error", "not_found")
        }
        json.endObject()
    }

    public init(json: JSONValue) throws(JSONError) {
        let reader = JSONReader(json)
        owner = try reader.identifier("owner")
        switch try reader.optionalString("error") {
        case nil: outcome = .changes(try ChangesPage(json: json))
        case "cursor_expired": outcome = .cursorExpired
        case "not_found": outcome = .notFound
        default: throw reader.refused("error", "is not one that this client knows")
        }
    }
}
