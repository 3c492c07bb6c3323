public import DaleksCore
public import DaleksJSON

/// The region came back from a backup. What it had numbered after `kept` it forgot, and its next step after that was
/// numbered from `resumed` on: a leap so large that no number means two things.
public struct Setback: Hashable, Sendable {
    public var kept: Revision
    public var resumed: Revision

    public init(kept: Revision, resumed: Revision) {
        self.kept = kept
        self.resumed = resumed
    }

    /// Whether the region gave that number out and knows nothing of it any more.
    public func covers(_ revision: Revision) -> Bool { revision > kept && revision < resumed }
}

extension Setback: JSONEncodable, JSONDecodable {
    public func encode(to json: inout JSONWriter) {
        json.beginObject()
        json.member("kept", kept)
        json.member("resumed", resumed)
        json.endObject()
    }

    public init(json: JSONValue) throws(JSONError) {
        let reader = JSONReader(json)
        kept = try reader.revision("kept")
        resumed = try reader.revision("resumed")
    }
}

/// All of them in a tree's life, the oldest first, as far as the region remembers.
public struct Setbacks: Hashable, Sendable, CustomStringConvertible {
    public private(set) var all: [Setback]

    public init(_ all: [Setback] = []) { self.all = all }

    /// More than this nobody has lived through; past it the oldest two are told as one, which is on the safe side.
    private static let countMax = 64

    public func covers(_ revision: Revision) -> Bool { all.contains { $0.covers(revision) } }

    public mutating func add(_ setback: Setback) {
        guard !all.contains(setback) else { return }
        all.append(setback)
        guard all.count > Self.countMax else { return }
        let merged = Setback(kept: min(all[0].kept, all[1].kept), resumed: max(all[0].resumed, all[1].resumed))
        all.replaceSubrange(0...1, with: [merged])
    }

    public mutating func formUnion(_ other: Setbacks) {
        for setback in other.all { add(setback) }
    }

    /// `KEPT-RESUMED`, with commas between: how databases keep it.
    public var description: String { all.map { "\($0.kept)-\($0.resumed)" }.joined(separator: ",") }

    /// Nil where the text is not one of these.
    public init?(_ text: String) {
        all = []
        for part in text.split(separator: ",") {
            let numbers = part.split(separator: "-", omittingEmptySubsequences: false)
            guard numbers.count == 2, let kept = Revision(numbers[0]), let resumed = Revision(numbers[1]) else {
                return nil
            }
            all.append(Setback(kept: kept, resumed: resumed))
        }
    }
}
