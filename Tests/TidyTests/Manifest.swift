/// `Package.swift` as text: its rows, the layer each is in, and what each uses.
///
/// Asking the package manager takes seconds and knows nothing of layers, which are comments: the manifest is written in
/// one way, and this reads that way.
struct Manifest {
    /// From the roof to the ground.
    enum Layer: Int, CaseIterable, Comparable {
        case tests, programs, product, contract, adapters, ground, c

        static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }

        /// The comment that begins the layer.
        var heading: String {
            switch self {
            case .programs: "// Programs wire."
            case .product: "// Product decides."
            case .contract: "// Contract speaks"
            case .adapters: "// Adapters touch C."
            case .c: "// C."
            case .ground: "// Ground knows nothing."
            case .tests: "// Tests drive"
            }
        }
    }

    struct Row: Equatable {
        let name: String
        let path: String
        let layer: Layer
        let uses: [String]
        let isHouseStyle: Bool
    }

    private(set) var rows: [Row] = []
    private let lists: [String: [String]]

    init(_ text: String) {
        lists = Self.lists(in: text)
        var layer: Layer?
        let body = text.firstRange(of: "targets: [\n        //").map { text[$0.lowerBound...] } ?? text[...]
        var rest = body
        while !rest.isEmpty {
            if let next = Layer.allCases.first(where: { rest.hasPrefix($0.heading) }) { layer = next }
            if let layer, let (row, after) = row(at: rest, layer) {
                rows.append(row)
                rest = after
            } else if rest.hasPrefix("//") {
                rest = rest[(rest.firstIndex(of: "\n") ?? rest.endIndex)...]
            } else {
                rest.removeFirst()
            }
        }
    }

    /// `let ground: [Target.Dependency] = ["A", "B"]`
    private static func lists(in text: String) -> [String: [String]] {
        var lists: [String: [String]] = [:]
        for line in text.split(separator: "\n") {
            guard line.hasPrefix("let "), let range = line.firstRange(of: ": [Target.Dependency] = ") else { continue }
            lists[String(line[..<range.lowerBound].dropFirst(4))] = quoted(line[range.upperBound...])
        }
        return lists
    }

    private func row(at text: Substring, _ layer: Layer) -> (Row, Substring)? {
        let calls = ["target(", "program(", "library(", "tests(", ".target(", ".testTarget("]
        guard let call = calls.first(where: { text.hasPrefix($0) }), let end = Self.end(of: text) else { return nil }
        let inside = text[..<end]
        let texts = Self.quoted(inside)
        guard let first = texts.first else { return nil }
        let isTest = call.hasPrefix("tests") || call == ".testTarget("
        let name = call.hasPrefix("tests") ? "\(first)Tests" : first
        let folder = isTest ? "Tests" : call.hasPrefix("library") ? "Sources/C" : "Sources"
        let row = Row(
            name: name,
            path: Self.argument("path: ", in: inside).flatMap { Self.quoted($0).first } ?? "\(folder)/\(name)",
            layer: layer,
            uses: uses(in: inside) + (call.hasPrefix("tests") ? [first, "DaleksTestSupport"] : []),
            isHouseStyle: !call.hasPrefix(".") || inside.contains("swiftSettings: house")
        )
        return (row, text[end...])
    }

    private func uses(in row: Substring) -> [String] {
        guard let list = Self.argument("uses: ", in: row) ?? Self.argument("dependencies: ", in: row) else { return [] }
        let words = list.prefix { $0 != "(" }.split { !$0.isLetter && !$0.isNumber && $0 != "\"" }
        let named = words.flatMap { lists[String($0)] ?? [] }
        return Self.quoted(list.firstRange(of: "path:").map { list[..<$0.lowerBound] } ?? list) + named
    }

    private static func argument(_ label: String, in row: Substring) -> Substring? {
        row.firstRange(of: label).map { row[$0.upperBound...] }
    }

    /// The texts between quotes.
    private static func quoted(_ text: Substring) -> [String] {
        text.split(separator: "\"", omittingEmptySubsequences: false).enumerated()
            .filter { $0.offset % 2 == 1 }.map { String($0.element) }
    }

    /// Where the parenthesis that the call opens is closed.
    private static func end(of call: Substring) -> Substring.Index? {
        var depth = 0
        for index in call.indices {
            if call[index] == "(" { depth += 1 }
            if call[index] == ")" {
                depth -= 1
                if depth == 0 { return call.index(after: index) }
            }
        }
        return nil
    }
}

extension Manifest {
    /// The arrows that the house does not have.
    func findings() -> [Finding] {
        let layers = Dictionary(rows.map { ($0.name, $0.layer) }) { first, _ in first }
        return rows.flatMap { row in
            row.uses.compactMap { used -> String? in
                guard let layer = layers[used] else { return "uses \(used), which is no row" }
                return Self.complaint(row, used, layer)
            } + (row.isHouseStyle ? [] : ["is not compiled with the house's settings"])
        }.map { Finding(path: "Package.swift", line: 0, complaint: $0) }
    }

    private static func complaint(_ row: Row, _ used: String, _ layer: Layer) -> String? {
        if layer < row.layer { return "\(row.name) uses \(used), which is above it" }
        if layer == .c, row.layer != .adapters, row.name != "DaleksSystem", row.layer != .tests {
            return "\(row.name) uses \(used): only adapters and DaleksSystem touch C"
        }
        if row.layer == .adapters, layer == .adapters { return "\(row.name) uses another adapter, \(used)" }
        if row.name == "DaleksVFS", used == "DaleksClient" || layer == .adapters {
            return "DaleksVFS uses \(used): it sees neither network nor database"
        }
        return nil
    }

    /// Swift files in a folder that no row has: they are compiled by nobody.
    func strays(among paths: [String]) -> [Finding] {
        paths.filter { path in
            path.hasSuffix(".swift") && path != "Package.swift" && !rows.contains { path.hasPrefix("\($0.path)/") }
        }.map { Finding(path: $0, line: 0, complaint: "is in no target of Package.swift") }
    }
}
