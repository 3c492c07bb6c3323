import DaleksAPI
import DaleksCore

/// Contents of the simulation: words of four bytes, each written once, so that every byte tells who wrote it.
enum Words {
    static func words(of bytes: [UInt8]) -> [UInt32] {
        var words: [UInt32] = []
        var last: UInt32 = 0
        for start in stride(from: 0, to: bytes.count - 3, by: 4) {
            let word =
                UInt32(bytes[start]) | UInt32(bytes[start + 1]) << 8 | UInt32(bytes[start + 2]) << 16
                | UInt32(bytes[start + 3]) << 24
            if word != last, word != 0 { words.append(word) }
            last = word
        }
        return words
    }

    static func bytes(_ word: UInt32, count: Int) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            for index in 0..<count { buffer[index] = UInt8(truncatingIfNeeded: word >> UInt32(8 * (index % 4))) }
            initialized = count
        }
    }

    static func short(_ id: NodeID) -> String { String("\(id)".suffix(4)) }

    static func describe(_ mutation: Mutation) -> String {
        switch mutation {
        case .create(let creation):
            "create \(creation.kind) \(short(creation.node)) in \(short(creation.parent)) as \(creation.name)"
        case .link(let parent, let name, let node, _): "link \(short(node)) in \(short(parent)) as \(name)"
        case .rename(let rename):
            "\(rename.isExchange ? "exchange" : "rename") \(short(rename.node)) \(short(rename.parent))/"
                + "\(rename.name) to "
                + "\(short(rename.toParent))/\(rename.toName)\(rename.replaces.map { " over \(short($0))" } ?? "")"
        case .remove(let parent, let name, let node, _): "remove \(short(node)) \(short(parent))/\(name)"
        case .attributes(let change): "attributes \(short(change.node))"
        case .extended(let change): "xattr \(short(change.node))"
        case .commit(let commit):
            "commit \(short(commit.node)) on \(commit.base) size \(commit.size) spans \(commit.spans.map(\.index))"
        }
    }

    static func describe(_ outcome: OperationResult.Outcome) -> String {
        switch outcome {
        case .done(let revision, let content): "done \(revision)\(content == nil ? "" : " with content")"
        case .known: "known"
        case .conflict(let conflict, let current): "\(conflict) \(current.map { short($0.id) } ?? "")"
        case .denied(let code, _): "denied \(code)"
        case .incomplete: "incomplete"
        case .waiting: "waiting"
        }
    }
}
