import DaleksSystem

/// The checkout that this test was compiled from.
struct Repository {
    /// Folders with texts of ours, and the single files at the top.
    private static let folders = ["Sources", "Tests", "daemon", "bench", "docs", "systemd", "deploy", ".ci"]
    private static let topFiles = ["Package.swift", "Makefile", "README.md", "CONTRIBUTING.md"]
    private static let endings = [
        ".swift", ".h", ".c", ".modulemap", ".md", ".sh", ".service", ".conf", "Makefile", ".py",
    ]
    /// A text of ours is smaller; a picture or a recording is not read.
    private static let fileBytesMax = 1 << 20

    let root: String

    /// This file is `Tests/TidyTests/Repository.swift`.
    init(file: String = #filePath) {
        root = file.split(separator: "/", omittingEmptySubsequences: false).dropLast(3).joined(separator: "/")
    }

    func files() throws -> [SourceFile] {
        var paths = Self.topFiles
        for folder in Self.folders where Files.isDirectory("\(root)/\(folder)") { try collect(folder, into: &paths) }
        return paths.sorted().compactMap(file)
    }

    /// Nil for what is not there, not ours to read (too large) or no text.
    private func file(_ path: String) -> SourceFile? {
        guard let bytes = try? Files.readAll("\(root)/\(path)", max: Self.fileBytesMax) else { return nil }
        return String(validating: bytes, as: UTF8.self).map { SourceFile(path, $0) }
    }

    private func collect(_ folder: String, into paths: inout [String]) throws {
        for entry in try Files.entries(of: "\(root)/\(folder)") {
            let path = "\(folder)/\(entry)"
            if Files.isDirectory("\(root)/\(path)") {
                if !entry.hasPrefix(".") { try collect(path, into: &paths) }
            } else if isText(entry, in: folder) {
                paths.append(path)
            }
        }
    }

    /// By its ending; scripts have none.
    private func isText(_ entry: String, in folder: String) -> Bool {
        Self.endings.contains { entry.hasSuffix($0) } || !entry.contains(".") && (folder == "bench" || folder == ".ci")
    }
}
