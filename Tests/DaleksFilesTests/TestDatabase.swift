import DaleksPostgres
import DaleksSystem
import DaleksTestSupport
import Testing

@testable import DaleksFiles

/// Which database the regions of a test are on.
enum TestDatabase: Sendable {
    case sqlite
    case postgres

    @TaskLocal static var current = TestDatabase.sqlite

    /// The store of a folder: new and empty, or what an earlier one of the same folder left.
    func makeStore(_ folder: ScratchFolder, bytesQuota: Int64, time: TimeSource) throws -> TreeStore {
        switch self {
        case .sqlite:
            try TreeStore(path: folder.path("files.db"), bytesQuota: bytesQuota, time: time, logger: .silent)
        case .postgres:
            try TreeStore(
                postgres: try Self.schema(of: folder),
                bytesQuota: bytesQuota,
                time: time,
                logger: .silent
            )
        }
    }

    /// Connections of a test's own to the server that the regions of tests are on.
    static func pool() throws -> PostgresPool {
        let configuration = PostgresConfiguration(applicationName: "daleks-test")
        let url = try PostgresServer.shared().makeSchema()
        return try PostgresPool.open(url: url, configuration: configuration, migrations: [], logger: .silent)
    }

    private static func schema(of folder: ScratchFolder) throws -> String {
        if let known = try? folder.read("postgres-url") { return String(decoding: known, as: UTF8.self) }
        // Nobody here cuts the power: commits need not wait for the disk. Tests of programs that are killed do.
        let url = try PostgresServer.shared().makeSchema() + "%20-csynchronous_commit%3Doff"
        try folder.write(url, to: "postgres-url")
        return url
    }
}

/// Runs each test of a suite twice: with its regions on SQLite, then on PostgreSQL.
struct BothDatabases: SuiteTrait, TestTrait, TestScoping {
    var isRecursive: Bool { true }

    func provideScope(
        for test: Test,
        testCase: Test.Case?,
        performing function: @concurrent @Sendable () async throws -> Void
    ) async throws {
        try await function()
        guard testCase != nil else { return }
        guard PostgresServer.isInstalled else {
            print("skipped on PostgreSQL: it is not installed (apt install postgresql)")
            return
        }
        try await TestDatabase.$current.withValue(.postgres) { try await function() }
    }
}

extension Trait where Self == BothDatabases {
    static var bothDatabases: Self { BothDatabases() }
}
