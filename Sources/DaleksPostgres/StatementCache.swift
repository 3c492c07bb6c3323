/// Which statements one connection has prepared, by their text and the types of their parameters.
///
/// A NULL has no type of its own and fits whichever variant is there, so that a statement with optional parameters does
/// not get a variant for each combination. Beyond the capacity the longest unused one goes.
struct StatementCache {
    private struct Entry {
        let name: String
        let types: [UInt32]
        var lastUse: UInt64
    }

    private let capacity: Int
    private var entries: [String: [Entry]] = [:]
    private var clock: UInt64 = 0
    private var nameCount: UInt64 = 0
    private(set) var count = 0

    init(capacity: Int) { self.capacity = capacity }

    /// The name under which the statement is prepared; using it makes it the youngest.
    mutating func find(_ sql: String, types: [UInt32]) -> String? {
        guard var variants = entries[sql], let index = variants.firstIndex(where: { Self.fits($0.types, types) }) else {
            return nil
        }
        clock += 1
        variants[index].lastUse = clock
        entries[sql] = variants
        return variants[index].name
    }

    /// A name for a statement to prepare, and the one to deallocate for it.
    mutating func insert(_ sql: String, types: [UInt32]) -> (name: String, evicted: String?) {
        let evicted = count >= capacity ? removeOldest() : nil
        clock += 1
        nameCount += 1
        let name = "s\(nameCount)"
        entries[sql, default: []].append(Entry(name: name, types: types, lastUse: clock))
        count += 1
        return (name, evicted)
    }

    mutating func remove(name: String) {
        for (sql, variants) in entries where variants.contains(where: { $0.name == name }) {
            let kept = variants.filter { $0.name != name }
            entries[sql] = kept.isEmpty ? nil : kept
            count -= 1
            return
        }
    }

    private mutating func removeOldest() -> String? {
        var oldest: Entry?
        for variants in entries.values {
            for entry in variants where entry.lastUse < oldest?.lastUse ?? .max { oldest = entry }
        }
        guard let oldest else { return nil }
        remove(name: oldest.name)
        return oldest.name
    }

    private static func fits(_ prepared: [UInt32], _ wanted: [UInt32]) -> Bool {
        prepared.count == wanted.count
            && zip(prepared, wanted).allSatisfy { $0 == $1 || $1 == PostgresType.unspecified }
    }
}
