public import DaleksCore
public import DaleksJSON

/// What a lease lets its holder do: decide about locks on that file among its own programs, all of them or only those
/// that readers take.
public enum LeaseMode: String, CaseIterable, Sendable, Comparable {
    case shared
    case exclusive

    public static func < (left: Self, right: Self) -> Bool { left == .shared && right == .exclusive }
}

/// A device asks for a lease on one file.
public struct LeaseRequest: Hashable, Sendable, JSONEncodable, JSONDecodable {
    public var device: DeviceID
    public var mode: LeaseMode
    /// How long to wait for others to give theirs back.
    public var waitSeconds: Int
    /// Not to wait for those who say that their programs hold locks.
    public var unlessUsed: Bool

    public init(device: DeviceID, mode: LeaseMode, waitSeconds: Int, unlessUsed: Bool = false) {
        self.device = device
        self.mode = mode
        self.waitSeconds = waitSeconds
        self.unlessUsed = unlessUsed
    }

    public func encode(to json: inout JSONWriter) {
        json.beginObject()
        json.member("device", device)
        json.member("mode", mode.rawValue)
        json.member("wait", waitSeconds)
        json.member("unless_used", unlessUsed)
        json.endObject()
    }

    public init(json: JSONValue) throws(JSONError) {
        let reader = JSONReader(json)
        device = try reader.identifier("device")
        mode = try reader.leaseMode("mode")
        waitSeconds = try reader.optionalInteger("wait", in: 0...Int.max) ?? 0
        unlessUsed = try reader.optionalBool("unless_used") ?? false
    }
}

/// A lease that was given.
public struct LeaseRecord: Hashable, Sendable, JSONEncodable, JSONDecodable {
    public var node: NodeID
    /// Of all leases that the region gives for a tree, each has a higher number than those before.
    public var number: Int64
    public var mode: LeaseMode
    /// How long it holds, from when it was asked for.
    public var seconds: Int
    /// Where the tree's feed was then: what the former holder published is before it.
    public var cursor: String

    public init(node: NodeID, number: Int64, mode: LeaseMode, seconds: Int, cursor: String) {
        self.node = node
        self.number = number
        self.mode = mode
        self.seconds = seconds
        self.cursor = cursor
    }

    public func encode(to json: inout JSONWriter) {
        json.beginObject()
        json.member("node", node)
        json.member("number", number)
        json.member("mode", mode.rawValue)
        json.member("seconds", seconds)
        json.member("cursor", cursor)
        json.endObject()
    }

    public init(json: JSONValue) throws(JSONError) {
        let reader = JSONReader(json)
        node = try reader.identifier("node")
        number = try reader.integer("number")
        mode = try reader.leaseMode("mode")
        seconds = try reader.integer("seconds", in: 0...Limits.Wire.leaseSecondsMax)
        cursor = try reader.string("cursor", bytesMax: 64)
    }
}

/// A device renews what it holds, and waits to hear what others want of it.
public struct LeaseWatch: Hashable, Sendable, JSONEncodable, JSONDecodable {
    public struct Held: Hashable, Sendable, JSONEncodable, JSONDecodable {
        public var node: NodeID
        public var number: Int64
        /// The device knows that others want it.
        public var isRecalled: Bool
        /// Programs hold locks under it: whoever will not wait need not.
        public var isUsed: Bool

        public init(node: NodeID, number: Int64, isRecalled: Bool = false, isUsed: Bool = false) {
            self.node = node
            self.number = number
            self.isRecalled = isRecalled
            self.isUsed = isUsed
        }

        public func encode(to json: inout JSONWriter) {
            json.beginObject()
            json.member("node", node)
            json.member("number", number)
            json.member("recalled", isRecalled)
            json.member("used", isUsed)
            json.endObject()
        }

        public init(json: JSONValue) throws(JSONError) {
            let reader = JSONReader(json)
            node = try reader.identifier("node")
            number = try reader.integer("number")
            isRecalled = try reader.optionalBool("recalled") ?? false
            isUsed = try reader.optionalBool("used") ?? false
        }
    }

    public var device: DeviceID
    public var held: [Held]
    public var waitSeconds: Int

    public init(device: DeviceID, held: [Held], waitSeconds: Int) {
        self.device = device
        self.held = held
        self.waitSeconds = waitSeconds
    }

    public func encode(to json: inout JSONWriter) {
        json.beginObject()
        json.member("device", device)
        json.member("held", held)
        json.member("wait", waitSeconds)
        json.endObject()
    }

    public init(json: JSONValue) throws(JSONError) {
        let reader = JSONReader(json)
        device = try reader.identifier("device")
        held = try reader.list("held")
        waitSeconds = try reader.optionalInteger("wait", in: 0...Int.max) ?? 0
        guard held.count <= Limits.Wire.leaseCountMax, Set(held.map(\.node)).count == held.count else {
            throw reader.refused("held", "must name up to \(Limits.Wire.leaseCountMax) files, each once")
        }
    }
}

/// What became of a device's leases.
public struct LeaseNews: Hashable, Sendable, JSONEncodable, JSONDecodable {
    /// How long those that were renewed hold, from when that was asked for.
    public var seconds: Int
    /// Others want these.
    public var recalled: [NodeID]
    /// These are not the device's any more.
    public var lost: [NodeID]

    public init(seconds: Int, recalled: [NodeID], lost: [NodeID]) {
        self.seconds = seconds
        self.recalled = recalled
        self.lost = lost
    }

    public func encode(to json: inout JSONWriter) {
        json.beginObject()
        json.member("seconds", seconds)
        json.member("recalled", recalled)
        json.member("lost", lost)
        json.endObject()
    }

    public init(json: JSONValue) throws(JSONError) {
        let reader = JSONReader(json)
        seconds = try reader.integer("seconds", in: 0...Limits.Wire.leaseSecondsMax)
        recalled = try reader.nodes("recalled")
        lost = try reader.nodes("lost")
    }
}

extension JSONReader {
    fileprivate func leaseMode(_ key: String) throws(JSONError) -> LeaseMode {
        guard let mode = LeaseMode(rawValue: try string(key, bytesMax: 16)) else {
            throw refused(key, "is neither shared nor exclusive")
        }
        return mode
    }

    fileprivate func nodes(_ key: String) throws(JSONError) -> [NodeID] {
        var nodes: [NodeID] = []
        for reader in try array(key, countMax: Limits.Wire.leaseCountMax) { nodes.append(try reader.identifierValue()) }
        return nodes
    }
}
