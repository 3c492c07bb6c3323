import Testing

/// One thing that every file is held to.
struct Rule: Sendable, CustomTestStringConvertible {
    let name: String
    let check: @Sendable (SourceFile) -> [Finding]

    var testDescription: String { name }

    /// Looks at each line by itself.
    init(_ name: String, eachLine complaint: @escaping @Sendable (SourceFile, Int) -> String?) {
        self.name = name
        check = { file in
            file.lines.indices.compactMap { index in
                complaint(file, index).map { Finding(path: file.path, line: index + 1, complaint: $0) }
            }
        }
    }

    /// Looks at the whole file.
    init(_ name: String, wholeFile complaint: @escaping @Sendable (SourceFile) -> String?) {
        self.name = name
        check = { file in complaint(file).map { [Finding(path: file.path, line: 0, complaint: $0)] } ?? [] }
    }
}
