// swift-tools-version: 6.2
// The manifest is the architecture: a row may use only rows below it. See docs/architecture.md.
import PackageDescription

/// What every Swift target is compiled with. `make` adds `--explicit-target-dependency-import-check error`.
let house: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .treatAllWarnings(as: .error),
]

/// The distribution's C library, seen only by its adapter.
func library(_ name: String, pkgConfig: String?, apt package: String) -> Target {
    .systemLibrary(name: name, path: "Sources/C/\(name)", pkgConfig: pkgConfig, providers: [.apt([package])])
}

func target(_ name: String, uses dependencies: [Target.Dependency]) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: house)
}

func program(
    _ name: String,
    path: String? = nil,
    exclude: [String] = [],
    uses dependencies: [Target.Dependency]
) -> Target {
    .executableTarget(name: name, dependencies: dependencies, path: path, exclude: exclude, swiftSettings: house)
}

func tests(of name: String, uses dependencies: [Target.Dependency] = []) -> Target {
    .testTarget(
        name: "\(name)Tests",
        dependencies: [.byName(name: name), "DaleksTestSupport"] + dependencies,
        swiftSettings: house
    )
}

let ground: [Target.Dependency] = ["DaleksCore", "DaleksSystem"]
let vocabulary: [Target.Dependency] = ["DaleksJSON", "DaleksHTTP"]

let package = Package(
    name: "daleks",
    products: [
        .executable(name: "daleks", targets: ["daleks"]),
        .executable(name: "daleksd", targets: ["daleksd"]),
        .executable(name: "daleks-users", targets: ["daleks-users"]),
        .executable(name: "daleks-files", targets: ["daleks-files"]),
    ],
    targets: [
        // Programs wire.
        program(
            "daleksd",
            path: "daemon",
            uses: ["DaleksMount", "DaleksSync", "DaleksClient", "DaleksHTTPClient", "DaleksAPI"] + ground + vocabulary
        ),
        program("daleks", uses: ["DaleksCommands"] + ground),
        program("daleks-users", uses: ["DaleksUsers", "DaleksService"] + ground),
        program("daleks-files", uses: ["DaleksFiles", "DaleksService"] + ground),
        program("bench-fuse", path: "bench/fuse-swift", uses: ["DaleksFUSE"] + ground),

        // Measured against others by the scripts in bench.
        program(
            "bench-files",
            path: "bench/files",
            uses: ["DaleksFiles", "DaleksAPI", "DaleksHTTPServer", "DaleksHTTPClient", "DaleksCrypto"] + ground
                + vocabulary
        ),
        program("bench-http-server", path: "bench/http-server", uses: ["DaleksHTTPServer", "DaleksHTTP"] + ground),

        // Product decides.
        target(
            "DaleksMount",
            uses: ["DaleksVFS", "DaleksSync", "DaleksCache", "DaleksFUSE", "DaleksAPI", "DaleksJSON"] + ground
        ),
        target("DaleksVFS", uses: ["DaleksSync", "DaleksCache", "DaleksAPI"] + ground),
        target(
            "DaleksSync",
            uses: ["DaleksCache", "DaleksAPI", "DaleksCrypto", "DaleksCompression"] + ground + vocabulary
        ),
        target("DaleksCache", uses: ["DaleksSQLite", "DaleksCrypto"] + ground),
        target("DaleksCommands", uses: ["DaleksAPI", "DaleksClient", "DaleksHTTPClient"] + ground + vocabulary),
        target(
            "DaleksUsers",
            uses: [
                "DaleksService", "DaleksAPI", "DaleksClient", "DaleksHTTPServer", "DaleksHTTPClient", "DaleksSQLite",
                "DaleksPostgres", "DaleksCrypto",
            ] + ground + vocabulary
        ),
        target(
            "DaleksFiles",
            uses: [
                "DaleksService", "DaleksAPI", "DaleksClient", "DaleksHTTPServer", "DaleksHTTPClient", "DaleksSQLite",
                "DaleksPostgres", "DaleksCrypto", "DaleksCompression",
            ] + ground + vocabulary
        ),

        // What every service is made of.
        target(
            "DaleksService",
            uses: ["DaleksHTTPServer", "DaleksSQLite", "DaleksPostgres"] + ground + vocabulary
        ),

        // Contract speaks: routes, bodies, error codes, and the client that uses them.
        target("DaleksAPI", uses: ["DaleksCore"] + vocabulary),
        target("DaleksClient", uses: ["DaleksAPI", "DaleksHTTPClient", "DaleksCrypto"] + ground + vocabulary),

        // Adapters touch C.
        target("DaleksFUSE", uses: ["CFuse"] + ground),
        target("DaleksSQLite", uses: ["CSQLite"] + ground),
        target("DaleksPostgres", uses: ["CPostgres"] + ground),
        target("DaleksHTTPClient", uses: ["CCurl", "DaleksHTTP"] + ground),
        target("DaleksHTTPServer", uses: ["CMicroHTTPD"] + ground + vocabulary),
        target("DaleksCrypto", uses: ["COpenSSL", "CSodium", "DaleksJSON"] + ground),
        target("DaleksCompression", uses: ["CZstd"] + ground),

        // C.
        library("CFuse", pkgConfig: "fuse3", apt: "libfuse3-dev"),
        library("CSQLite", pkgConfig: "sqlite3", apt: "libsqlite3-dev"),
        library("CPostgres", pkgConfig: "libpq", apt: "libpq-dev"),
        library("CCurl", pkgConfig: "libcurl", apt: "libcurl4-openssl-dev"),
        library("CMicroHTTPD", pkgConfig: "libmicrohttpd", apt: "libmicrohttpd-dev"),
        library("COpenSSL", pkgConfig: "openssl", apt: "libssl-dev"),
        library("CSodium", pkgConfig: "libsodium", apt: "libsodium-dev"),
        library("CZstd", pkgConfig: "libzstd", apt: "libzstd-dev"),
        library("CSystem", pkgConfig: nil, apt: "libc6-dev"),

        // Ground knows nothing. Core: what things are. JSON and HTTP: how they are spelt. System: the machine.
        target("DaleksCore", uses: []),
        target("DaleksJSON", uses: ["DaleksCore"]),
        target("DaleksHTTP", uses: ["DaleksCore", "DaleksJSON"]),
        target("DaleksSystem", uses: ["CSystem", "DaleksCore"]),

        // Tests drive each target against the real thing.
        .target(
            name: "DaleksTestSupport",
            dependencies: ["DaleksJSON"] + ground,
            path: "Tests/Support",
            swiftSettings: house
        ),
        program("lossy-disk", path: "Tests/LossyDisk", uses: ["DaleksFUSE", "DaleksTestSupport"] + ground),
        .testTarget(
            name: "CrashTests",
            dependencies: [
                "DaleksTestSupport", "DaleksJSON", "lossy-disk", "posix-twin", "daleks", "daleksd", "daleks-users",
                "daleks-files",
            ] + ground,
            swiftSettings: house
        ),
        .testTarget(name: "TidyTests", dependencies: ["DaleksTestSupport"] + ground, swiftSettings: house),
        // Whole programs, from the outside.
        .testTarget(
            name: "ProgramsTests",
            dependencies: ["daleks", "daleksd", "daleks-users", "daleks-files", "DaleksTestSupport"] + ground,
            swiftSettings: house
        ),
        tests(of: "DaleksCore"),
        tests(of: "DaleksJSON", uses: ["DaleksCore"]),
        tests(of: "DaleksHTTP", uses: ["DaleksCore", "DaleksJSON"]),
        tests(of: "DaleksSystem", uses: ["DaleksCore"]),
        // The bench's server is the daemon that dies, and that others run. CFuse: which of two C modules the compiler
        // takes `struct stat` for depends on which it loads first, and the tests must be built either way.
        tests(of: "DaleksFUSE", uses: ["bench-fuse", "CFuse"] + ground),
        tests(of: "DaleksSQLite", uses: ground),
        tests(of: "DaleksPostgres", uses: ground),
        tests(of: "DaleksHTTPClient", uses: ["DaleksHTTP"] + ground),
        tests(of: "DaleksHTTPServer", uses: ground + vocabulary),
        tests(of: "DaleksCrypto", uses: ["COpenSSL", "DaleksJSON"] + ground),
        tests(of: "DaleksCompression", uses: ground),
        tests(of: "DaleksService", uses: ["DaleksHTTPServer", "DaleksSQLite", "DaleksPostgres"] + ground + vocabulary),
        tests(
            of: "DaleksSync",
            uses: ["DaleksFiles", "DaleksCache", "DaleksSQLite", "DaleksAPI"] + ground + vocabulary
        ),
        tests(of: "DaleksAPI", uses: ["DaleksCore"] + vocabulary),
        // Tries POSIX by system calls, in C and in a process of its own: a mount must not be asked by who serves it.
        program("posix-probe", path: "Tests/PosixProbe", uses: []),
        program("posix-twin", path: "Tests/PosixTwin", uses: []),
        tests(
            of: "DaleksMount",
            uses: ["daleks", "daleksd", "daleks-users", "daleks-files", "posix-probe"] + ground
        ),
        tests(
            of: "DaleksCommands",
            uses: ["daleks", "daleksd", "daleks-users", "daleks-files"] + ground + vocabulary
        ),
        tests(
            of: "DaleksFiles",
            uses: [
                "daleks-files", "lossy-disk", "DaleksAPI", "DaleksService", "DaleksHTTPServer", "DaleksHTTPClient",
                "DaleksSQLite", "DaleksPostgres", "DaleksCrypto",
            ] + ground + vocabulary
        ),
        tests(
            of: "DaleksUsers",
            uses: [
                "daleks-users", "daleks", "DaleksAPI", "DaleksClient", "DaleksService", "DaleksHTTPServer",
                "DaleksHTTPClient", "DaleksSQLite", "DaleksPostgres", "DaleksCrypto",
            ] + ground + vocabulary
        ),
    ]
)

// libFuzzer brings the `main` of this one, so it links only where its sanitizer is on: see Tests/Fuzz/run.
if Context.environment["DALEKS_FUZZ"] != nil {
    package.targets.append(
        program(
            "daleks-fuzz",
            path: "Tests/Fuzz",
            exclude: ["Corpus", "run"],
            uses: [
                "DaleksAPI", "DaleksCache", "DaleksCompression", "DaleksCrypto", "DaleksFiles", "DaleksHTTPServer",
                "DaleksSQLite", "DaleksSync",
            ] + ground + vocabulary
        )
    )
}
