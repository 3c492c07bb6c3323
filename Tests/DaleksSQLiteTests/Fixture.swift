import DaleksSQLite
import DaleksSystem
import Glibc
import Testing

/// A folder of its own, gone with the test.
final class Scratch: Sendable {
    let path: String

    init() {
        let base = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
        path = "\(base)/daleks-sqlite-\(Random.word())"
        precondition(mkdir(path, 0o700) == 0, "no scratch folder")
    }

    deinit {
        for name in names { unlink("\(path)/\(name)") }
        rmdir(path)
    }

    subscript(name: String) -> String { "\(path)/\(name)" }

    var names: [String] {
        guard let folder = opendir(path) else { return [] }
        defer { closedir(folder) }
        var names: [String] = []
        while let entry = readdir(folder) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { tuple in
                tuple.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    func bytes(_ name: String) throws -> [UInt8] { try Files.readAll(self[name], max: 1 << 28) }

    func write(_ name: String, _ bytes: [UInt8]) throws {
        let file = try FileDescriptor.open(self[name], O_WRONLY | O_CREAT | O_TRUNC)
        try file.writeAll(bytes)
    }

    func remove(_ name: String) { unlink(self[name]) }

    /// The files of a database as a killed process would leave them: what the kernel has of them.
    func copyDatabase(_ name: String, as copy: String) throws {
        for suffix in ["", "-wal", "-redo"] where names.contains(name + suffix) {
            try write(copy + suffix, try bytes(name + suffix))
        }
    }
}

enum Fixture {
    static let applicationID: Int32 = 0x4461_6c65

    static let migrations = [
        Migration(1, "items", "CREATE TABLE items (key INTEGER PRIMARY KEY, value BLOB NOT NULL) STRICT")
    ]

    static func open(
        _ path: String,
        migrations: [Migration] = migrations,
        busyTimeout: Duration = .seconds(10),
        checkpointBytes: Int64 = 16 << 20,
        readerCount: Int = 2,
        groupInterval: Duration? = nil
    ) throws(SQLiteError) -> Database {
        let configuration = DatabaseConfiguration(
            applicationID: applicationID,
            readerCount: readerCount,
            busyTimeout: busyTimeout,
            checkpointBytes: checkpointBytes,
            groupInterval: groupInterval
        )
        return try Database.open(path: path, configuration: configuration, migrations: migrations)
    }
}

extension Database {
    func put(_ key: Int, _ value: [UInt8], _ durability: Durability = .normal) throws {
        try write(durability) { db in
            try db.withStatement("INSERT OR REPLACE INTO items (key, value) VALUES (?1, ?2)") { statement in
                try statement.bind(key, at: 1)
                try statement.bind(value, at: 2)
                try statement.run()
            }
        }
    }

    func get(_ key: Int) throws -> [UInt8]? {
        try read { db in
            try db.first("SELECT value FROM items WHERE key = ?1", [.integer(key)]) { try $0.blob(0) }
        }
    }

    func count() throws -> Int {
        try read { db in try db.first("SELECT count(*) FROM items") { try $0.int(0) } ?? -1 }
    }
}

/// The error's code, for expectations that name nothing else.
func code(_ body: () throws -> Void) -> SQLiteError.Code? {
    do {
        try body()
        return nil
    } catch {
        return (error as? SQLiteError)?.code
    }
}

/// Runs the closure on so many threads and waits for all of them.
func onThreads(_ count: Int, _ body: @escaping @Sendable (Int) -> Void) {
    let threads = (0..<count).map { index in Thread(name: "test-\(index)") { body(index) } }
    for thread in threads { thread.join() }
}

/// SplitMix64: the same numbers from the same seed, on any machine.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var word = state
        word = (word ^ (word >> 30)) &* 0xbf58_476d_1ce4_e5b9
        word = (word ^ (word >> 27)) &* 0x94d0_49bb_1331_11eb
        return word ^ (word >> 31)
    }
}
