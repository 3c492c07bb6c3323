import DaleksSystem
import Testing

/// Reads the sources themselves.
@Suite struct TidyTests {
    /// Read once for all rules.
    private static let files = (try? Repository().files()) ?? []

    @Test(arguments: Rules.all)
    func `every file keeps the rule`(rule: Rule) throws {
        let findings = Self.files.flatMap(rule.check)
        #expect(findings.isEmpty, "\n\(findings.map(\.description).joined(separator: "\n"))")
    }

    @Test func `no row of the manifest uses one above it`() throws {
        let findings = try manifest().findings()
        #expect(findings.isEmpty, "\n\(findings.map(\.description).joined(separator: "\n"))")
    }

    @Test func `no Swift file is in no target`() throws {
        let paths = Self.files.map(\.path).filter { !$0.hasPrefix("bench/") }
        let findings = try manifest().strays(among: paths)
        #expect(findings.isEmpty, "\n\(findings.map(\.description).joined(separator: "\n"))")
    }

    @Test func `the sources were found`() {
        #expect(Self.files.count { $0.isSwift } > 50)
        #expect(Self.files.contains { $0.path == "Tests/TidyTests/TidyTests.swift" })
    }

    @Test func `the manifest was understood`() throws {
        let manifest = try manifest()
        for layer in Manifest.Layer.allCases {
            #expect(manifest.rows.contains { $0.layer == layer }, "\(layer) has no row")
        }
        let sync = try #require(manifest.rows.first { $0.name == "DaleksSync" })
        #expect(sync.layer == .product && sync.uses.contains("DaleksCache") && sync.uses.contains("DaleksCore"))
        let daemon = try #require(manifest.rows.first { $0.name == "daleksd" })
        #expect(daemon.path == "daemon" && daemon.layer == .programs)
        for row in manifest.rows { #expect(Files.isDirectory("\(Repository().root)/\(row.path)"), "\(row.path)") }
    }

    private func manifest() throws -> Manifest {
        let file = try #require(Self.files.first { $0.path == "Package.swift" })
        return Manifest(file.lines.joined(separator: "\n"))
    }
}
