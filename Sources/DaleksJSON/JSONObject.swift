import DaleksCore

/// The members of a JSON object in the order they came, each name once.
///
/// Names are compared byte by byte: Swift's `==` would take two spellings of one accented letter for the same name,
/// and a signer and a checker that disagree about that is how signed objects get forged.
public struct JSONObject: Sendable {
    public struct Member: Sendable {
        public let key: String
        public fileprivate(set) var value: JSONValue
    }

    public private(set) var members: [Member] = []

    /// Positions by name, kept only once there are too many members to compare one by one.
    private var positions: [ExactText: Int]?

    public init() {}

    /// Naming a member twice is the caller's mistake.
    public init(_ pairs: KeyValuePairs<String, JSONValue>) {
        self.init(pairs.map { ($0.key, $0.value) })
    }

    /// Naming a member twice is the caller's mistake.
    public init(_ pairs: [(String, JSONValue)]) {
        let repeated = adopt(pairs.map { Member(key: $0.0, value: $0.1) })
        precondition(repeated == nil, "a JSON object names a member twice")
    }

    /// For the parser: nil where a name stands twice.
    init?(parsed members: consuming [Member]) {
        guard adopt(members) == nil else { return nil }
    }

    public var count: Int { members.count }
    public var isEmpty: Bool { members.isEmpty }
    public var keys: [String] { members.map(\.key) }

    /// Setting nil removes the member; setting another value keeps its place.
    public subscript(key: String) -> JSONValue? {
        get { position(of: key).map { members[$0].value } }
        set {
            switch (position(of: key), newValue) {
            case (let position?, let value?):
                members[position].value = value
            case (let position?, nil):
                members.remove(at: position)
                reindex()
            case (nil, let value?):
                positions?[ExactText(key)] = members.count
                members.append(Member(key: key, value: value))
                if positions == nil { reindex() }
            case (nil, nil):
                break
            }
        }
    }

    public func contains(_ key: String) -> Bool { position(of: key) != nil }

    private func position(of key: String) -> Int? {
        if let positions { return positions[ExactText(key)] }
        return members.firstIndex { ExactText.areEqual($0.key, key) }
    }

    /// Takes the members over; answers the position of a name that stood before, and is then not to be used.
    private mutating func adopt(_ new: consuming [Member]) -> Int? {
        members = new
        guard members.count > Limits.JSON.linearMembersMax else { return linearDuplicate() }
        var index: [ExactText: Int] = [:]
        index.reserveCapacity(members.count)
        for position in members.indices {
            if index.updateValue(position, forKey: ExactText(members[position].key)) != nil { return position }
        }
        positions = index
        return nil
    }

    private func linearDuplicate() -> Int? {
        for later in members.indices.dropFirst() {
            for earlier in 0..<later where ExactText.areEqual(members[earlier].key, members[later].key) { return later }
        }
        return nil
    }

    private mutating func reindex() {
        positions = nil
        guard members.count > Limits.JSON.linearMembersMax else { return }
        positions = Dictionary(uniqueKeysWithValues: members.indices.map { (ExactText(members[$0].key), $0) })
    }
}

extension JSONObject: ExpressibleByDictionaryLiteral {
    public init(dictionaryLiteral elements: (String, JSONValue)...) { self.init(elements) }
}

extension JSONObject: Equatable {
    /// The order of members means nothing in JSON, so it means nothing here.
    public static func == (left: Self, right: Self) -> Bool {
        left.count == right.count && left.members.allSatisfy { right[$0.key] == $0.value }
    }
}

extension JSONObject.Member {
    init(parsed key: String, _ value: JSONValue) {
        self.key = key
        self.value = value
    }
}
