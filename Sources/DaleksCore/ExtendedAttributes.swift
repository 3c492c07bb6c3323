extension Limits {
    /// XATTR_NAME_MAX of Linux.
    public static let extendedNameBytesMax = 255

    /// XATTR_SIZE_MAX of Linux.
    public static let extendedValueBytesMax = 1 << 16

    /// Names and values of one node together: they travel with every listing, so they must not be where data is kept.
    public static let extendedBytesMax = 1 << 16
}

/// The extended attributes of a node: bytes by name, in the byte order of names.
public struct ExtendedAttributes: Hashable, Sendable {
    public struct Item: Hashable, Sendable {
        public let name: [UInt8]
        public fileprivate(set) var value: [UInt8]
    }

    public private(set) var items: [Item] = []

    public init() {}

    public var isEmpty: Bool { items.isEmpty }

    /// Names and values together: what `Limits.extendedBytesMax` bounds.
    public var byteCount: Int { items.reduce(0) { $0 + $1.name.count + $1.value.count } }

    public subscript(name: [UInt8]) -> [UInt8]? {
        index(of: name).map { items[$0].value }
    }

    /// False, and nothing is changed, where it would be more than a node may carry. Nil takes the name away.
    public mutating func set(_ name: [UInt8], to value: [UInt8]?) -> Bool {
        guard let value else {
            if let index = index(of: name) { items.remove(at: index) }
            return true
        }
        guard (1...Limits.extendedNameBytesMax).contains(name.count), !name.contains(0),
            value.count <= Limits.extendedValueBytesMax
        else { return false }
        var changed = self
        if let index = index(of: name) {
            changed.items[index].value = value
        } else {
            let place = items.firstIndex { name.lexicographicallyPrecedes($0.name) } ?? items.count
            changed.items.insert(Item(name: name, value: value), at: place)
        }
        guard changed.byteCount <= Limits.extendedBytesMax else { return false }
        self = changed
        return true
    }

    private func index(of name: [UInt8]) -> Int? { items.firstIndex { $0.name == name } }
}

/// How databases keep them: each name with a byte for its length, each value with four.
extension ExtendedAttributes {
    /// Nil for bytes that `encoded` never gave.
    public init?(encoded bytes: [UInt8]) {
        var rest = bytes[...]
        while let nameCount = rest.popFirst().map(Int.init) {
            guard rest.count >= nameCount + 4 else { return nil }
            let name = Array(rest.prefix(nameCount))
            rest = rest.dropFirst(nameCount)
            let valueCount = rest.prefix(4).reduce(0) { $0 << 8 | Int($1) }
            rest = rest.dropFirst(4)
            guard rest.count >= valueCount, set(name, to: Array(rest.prefix(valueCount))) else { return nil }
            rest = rest.dropFirst(valueCount)
        }
    }

    public var encoded: [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(byteCount + items.count * 5)
        for item in items {
            bytes.append(UInt8(item.name.count))
            bytes += item.name
            for shift in stride(from: 24, through: 0, by: -8) { bytes.append(UInt8(item.value.count >> shift & 0xff)) }
            bytes += item.value
        }
        return bytes
    }
}
