import Testing

/// Manifests with an arrow too many.
@Suite struct ManifestTests {
    private func manifest(_ change: (inout String) -> Void = { _ in }) -> Manifest {
        var text = """
            let ground: [Target.Dependency] = ["DaleksCore", "DaleksSystem"]
            let package = Package(
                name: "daleks",
                targets: [
                    // Programs wire.
                    program("daleksd", path: "daemon", uses: ["DaleksVFS"] + ground),

                    // Product decides.
                    target("DaleksVFS", uses: ["DaleksSync"] + ground),
                    target(
                        "DaleksSync",
                        uses: ["DaleksAPI", "DaleksSQLite"]
                            + ground
                    ),

                    // Contract speaks: routes.
                    target("DaleksAPI", uses: ["DaleksCore"]),

                    // Adapters touch C.
                    target("DaleksSQLite", uses: ["CSQLite"] + ground),
                    target("DaleksFUSE", uses: ["CSQLite"] + ground),

                    // C.
                    library("CSQLite", pkgConfig: "sqlite3", apt: "libsqlite3-dev"),
                    library("CSystem", pkgConfig: nil, apt: "libc6-dev"),

                    // Ground knows nothing. Core: what things are.
                    target("DaleksCore", uses: []),
                    target("DaleksSystem", uses: ["CSystem", "DaleksCore"]),

                    // Tests drive each target.
                    .target(
                        name: "DaleksTestSupport",
                        dependencies: ground,
                        path: "Tests/Support",
                        swiftSettings: house
                    ),
                    tests(of: "DaleksCore"),
                    tests(
                        of: "DaleksSQLite",
                        uses: ["CSQLite"]
                            + ground
                    ),
                ]
            )
            """
        change(&text)
        return Manifest(text)
    }

    private func complaints(_ from: String, _ to: String) -> [String] {
        manifest { text in
            precondition(text.contains(from), "the planted manifest has no such text")
            text = text.replacing(from, with: to)
        }.findings().map(\.complaint)
    }

    @Test func `a good manifest has nothing to find`() {
        let manifest = manifest()
        #expect(manifest.findings() == [])
        #expect(manifest.rows.count == 13)
        #expect(manifest.rows.map(\.path).contains("Tests/DaleksSQLiteTests"))
        #expect(
            manifest.rows.first { $0.name == "DaleksSync" }?.uses == [
                "DaleksAPI", "DaleksSQLite", "DaleksCore", "DaleksSystem",
            ]
        )
        #expect(manifest.rows.first { $0.name == "DaleksTestSupport" }?.uses == ["DaleksCore", "DaleksSystem"])
    }

    @Test func `an arrow upward is found`() {
        #expect(
            complaints("target(\"DaleksCore\", uses: [])", "target(\"DaleksCore\", uses: [\"DaleksAPI\"])")
                == ["DaleksCore uses DaleksAPI, which is above it"]
        )
        #expect(
            complaints(
                "(\"DaleksSQLite\", uses: [\"CSQLite\"]",
                "(\"DaleksSQLite\", uses: [\"CSQLite\", \"DaleksSync\"]"
            )
                == ["DaleksSQLite uses DaleksSync, which is above it"]
        )
        #expect(
            complaints("\"DaleksSync\"] + ground", "\"DaleksSync\", \"daleksd\"] + ground")
                == ["DaleksVFS uses daleksd, which is above it"]
        )
    }

    @Test func `C above the adapters is found`() {
        #expect(
            complaints("[\"DaleksAPI\", \"DaleksSQLite\"]", "[\"CSQLite\"]")
                == ["DaleksSync uses CSQLite: only adapters and DaleksSystem touch C"]
        )
        #expect(
            complaints("target(\"DaleksCore\", uses: [])", "target(\"DaleksCore\", uses: [\"CSystem\"])")
                == ["DaleksCore uses CSystem: only adapters and DaleksSystem touch C"]
        )
    }

    @Test func `an adapter that uses another, and a file system that sees the network, are found`() {
        #expect(
            complaints("target(\"DaleksFUSE\", uses: [\"CSQLite\"]", "target(\"DaleksFUSE\", uses: [\"DaleksSQLite\"]")
                == ["DaleksFUSE uses another adapter, DaleksSQLite"]
        )
        #expect(
            complaints("\"DaleksSync\"] + ground", "\"DaleksSQLite\"] + ground")
                == ["DaleksVFS uses DaleksSQLite: it sees neither network nor database"]
        )
    }

    @Test func `an unknown row, and one without the house's settings, are found`() {
        #expect(complaints("[\"DaleksVFS\"]", "[\"DaleksGone\"]") == ["uses DaleksGone, which is no row"])
        #expect(complaints("            swiftSettings: house\n", "") == ["is not compiled with the house's settings"])
    }

    @Test func `a file in no target is found`() {
        let paths = [
            "Package.swift", "daemon/main.swift", "Sources/DaleksVFS/Deep/A.swift", "Sources/DaleksLost/B.swift",
            "Tests/DaleksVFSTests/C.swift", "Tests/Support/D.swift", "Sources/E.swift", "Sources/C/CSQLite/shim.h",
        ]
        #expect(
            manifest().strays(among: paths).map(\.path) == [
                "Sources/DaleksLost/B.swift", "Tests/DaleksVFSTests/C.swift", "Sources/E.swift",
            ]
        )
    }
}
