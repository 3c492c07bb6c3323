import Glibc

/// What the compiler and the formatter do not see.
enum Rules {
    static let all = [
        unexplained, foundation, printing, callbacks, publicC, exported, length, width, unfinished, machinePaths, tabs,
    ]

    private static let linesMax = 500
    private static let columnsMax = 120

    /// What switches a check of the compiler off, or ends the process, says why where it stands.
    static let unexplained = Rule("unexplained") { file, index in
        guard file.isSwift else { return nil }
        let code = file.code[index]
        var needles = ["@unchecked Sendable", "nonisolated(unsafe)", "unsafeBitCast(", "unsafelyUnwrapped"]
        // A test may well stop at a surprise.
        if !file.isTest { needles += ["try!", "fatalError("] }
        guard let needle = needles.first(where: { code.has($0) }), !file.isExplained(index) else { return nil }
        return "\(needle) needs a sentence above it that a reviewer can check"
    }

    /// It is large, slow with bytes, and brings 56 MB of text tables with it. The allow-list is empty.
    static let foundation = Rule("foundation") { file, index in
        guard file.isSwift, file.code[index].has("Foundation") else { return nil }
        let words = file.code[index].split { !$0.isLetter && $0 != "_" }
        guard let position = words.firstIndex(of: "import"), position + 1 < words.count else { return nil }
        let module = words[(position + 1)...].first { !["struct", "class", "enum", "func", "protocol"].contains($0) }
        return module?.hasPrefix("Foundation") == true ? "Foundation is not used here" : nil
    }

    /// Libraries have a logger; only what people run by hand writes to standard output.
    static let printing = Rule("printing") { file, index in
        guard file.isSwift, file.path.hasPrefix("Sources/"), !mayPrint(file) else { return nil }
        let code = file.code[index]
        let call = ["print(", "debugPrint(", "dump("].first { calls($0, in: code) }
        return call.map { "\($0)) outside a program" }
    }

    /// The command line, and the mains of programs (for `--help`).
    private static func mayPrint(_ file: SourceFile) -> Bool {
        file.path.hasPrefix("Sources/DaleksCommands/") || file.path.hasPrefix("Sources/daleks")
    }

    /// A call, and neither a member of something nor a declaration.
    private static func calls(_ name: String, in code: String) -> Bool {
        if !code.has(name) { return false }
        var rest = code[...]
        while let range = rest.firstRange(of: name) {
            let before = code[..<range.lowerBound]
            let isPart = before.last.map { $0.isLetter || $0.isNumber || $0 == "_" || $0 == "." } ?? false
            let isDeclared = before.hasSuffix("func ") || before.hasSuffix("case ")
            if !isPart, !isDeclared { return true }
            rest = rest[range.upperBound...]
        }
        return false
    }

    /// A function written near a main inherits its actor and traps when C calls it from its own thread.
    static let callbacks = Rule("callbacks") { file, index in
        guard file.isSwift, file.isMain else { return nil }
        let needles = ["@_cdecl", "@c ", "@convention(c)", "Unmanaged", "sigaction(", "signal(SIG", "pthread_create"]
        return needles.first { file.code[index].has($0) }.map {
            "\($0) near a main: C callbacks live in a plain enum in a file of their own"
        }
    }

    /// An adapter that lets a C type out has stopped being one.
    static let publicC = Rule("public import of C") { file, index in
        guard file.isSwift, file.code[index].has("import C") else { return nil }
        let words = file.code[index].split(separator: " ")
        guard let position = words.firstIndex(of: "import"), words[..<position].contains("public") else { return nil }
        let module = words[(position + 1)...].first ?? ""
        let isC = module.hasPrefix("C") && (module.dropFirst().first?.isUppercase ?? false)
        return isC ? "public import of \(module)" : nil
    }

    /// Who uses a module names it.
    static let exported = Rule("exported") { file, index in
        guard file.isSwift, file.code[index].has("@_exported") else { return nil }
        return "@_exported hides an arrow of the manifest"
    }

    static let length = Rule("length") { file in
        // A last newline begins no line.
        let count = file.lines.count - (file.lines.last == "" ? 1 : 0)
        return file.isSwift && count > linesMax ? "\(count) lines: more than \(linesMax) are more than one type" : nil
    }

    static let width = Rule("width") { file, index in
        // Fewer bytes are fewer columns, and bytes are counted at once.
        guard file.isSwift, file.lines[index].utf8.count > columnsMax else { return nil }
        let count = file.lines[index].count
        return count > columnsMax ? "\(count) columns: the formatter cannot break this line, so somebody must" : nil
    }

    /// What is not done is an issue, not a comment.
    static let unfinished = Rule("unfinished") { file, index in
        let comment = file.comments[index]
        let found = ["TODO", "FIXME", "XXX", "HACK"].filter(comment.has)
        if found.isEmpty { return nil }
        let words = comment.split { !$0.isLetter }
        return found.first { words.contains(Substring($0)) }.map { "\($0) belongs into an issue" }
    }

    /// A path that exists on one machine only.
    static let machinePaths = Rule("machine paths") { file, index in
        let needles = ["/wo" + "rk/", "/Use" + "rs/", "/tmp/bash" + "_jobs"]
        return needles.first { standsAlone($0, in: file.lines[index]) }.map { "\($0) is a path of somebody's machine" }
    }

    /// At the beginning of a path, and not in the middle of one.
    private static func standsAlone(_ path: String, in line: String) -> Bool {
        if !line.has(path) { return false }
        var rest = line[...]
        while let range = rest.firstRange(of: path) {
            let before = line[..<range.lowerBound].last
            if before.map({ !$0.isLetter && !$0.isNumber && !"._-~)}".contains($0) }) ?? true { return true }
            rest = rest[range.upperBound...]
        }
        return false
    }

    static let tabs = Rule("tabs") { file, index in
        file.isSwift && file.lines[index].has("\t") ? "a tab: four spaces, or \\t in a literal" : nil
    }
}

extension String {
    /// A plain search: the library's own goes by characters, which is what tens of thousands of lines have no time for.
    fileprivate func has(_ needle: String) -> Bool { strstr(self, needle) != nil }
}
