import DaleksSQLite
import DaleksSystem
import Glibc
import Testing

/// What is found at a database's path: only what is empty or ours is ever written to.
@Suite struct FileTests {
    /// A database with rows, closed.
    private func made(_ scratch: Scratch, _ name: String = "a.db", rows: Int = 500) throws {
        let database = try Fixture.open(scratch[name])
        try database.write { db in
            for key in 0..<rows {
                let bytes = [UInt8](repeating: UInt8(truncatingIfNeeded: key), count: 200)
                try db.execute("INSERT INTO items VALUES (?1, ?2)", [.integer(key), .blob(bytes)])
            }
        }
        database.close()
    }

    private func expectRefusal(_ expected: SQLiteError.Code, _ scratch: Scratch) throws {
        let before = try scratch.names.map { ($0, try scratch.bytes($0)) }
        let error = #expect(throws: SQLiteError.self) { try Fixture.open(scratch["a.db"]) }
        #expect(error?.code == expected)
        #expect(error?.message.contains(scratch["a.db"]) == true)
        let after = try scratch.names.map { ($0, try scratch.bytes($0)) }
        #expect(before.map(\.0) == after.map(\.0))
        #expect(before.map(\.1) == after.map(\.1))
    }

    @Test func `a new file and its log are for the owner only`() throws {
        let scratch = Scratch()
        let database = try Fixture.open(scratch["a.db"])
        try database.put(1, [1])
        #expect(scratch.names == ["a.db", "a.db-shm", "a.db-wal"])
        for name in scratch.names {
            var status = stat()
            #expect(stat(scratch[name], &status) == 0)
            #expect(status.st_mode & 0o777 == 0o600, "\(name)")
        }
    }

    @Test func `an empty file is new`() throws {
        let scratch = Scratch()
        try scratch.write("a.db", [])
        try Fixture.open(scratch["a.db"]).put(1, [1])
        #expect(try Fixture.open(scratch["a.db"]).count() == 1)
    }

    @Test func `a file of something else is refused and left alone`() throws {
        let scratch = Scratch()
        try scratch.write("a.db", Array("My thesis.\n".utf8))
        try expectRefusal(.notADatabase, scratch)
        try scratch.write("a.db", (0..<20_000).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ 1) })
        try expectRefusal(.notADatabase, scratch)
    }

    @Test func `another program's database is refused and left alone`() throws {
        let scratch = Scratch()
        try made(scratch)
        var bytes = try scratch.bytes("a.db")
        for id: [UInt8] in [[0, 0, 0, 0], [1, 2, 3, 4]] {
            bytes.replaceSubrange(68..<72, with: id)
            try scratch.write("a.db", bytes)
            try expectRefusal(.foreign, scratch)
        }
    }

    @Test func `a header of zeros is torn, and is left alone`() throws {
        let scratch = Scratch()
        try made(scratch)
        var bytes = try scratch.bytes("a.db")
        bytes.replaceSubrange(0..<4_096, with: repeatElement(0, count: 4_096))
        try scratch.write("a.db", bytes)
        try expectRefusal(.corrupt, scratch)
    }

    @Test func `an empty or missing file beside a log that holds something is torn`() throws {
        let scratch = Scratch()
        let database = try Fixture.open(scratch["b.db"])
        try database.put(1, [1])
        try scratch.write("a.db-wal", try scratch.bytes("b.db-wal"))
        try expectRefusal(.corrupt, scratch)
        try scratch.write("a.db", [])
        database.close()
        try expectRefusal(.corrupt, scratch)
    }

    @Test(arguments: [4_096, 8_192, 20_000])
    func `a file cut short is reported`(count: Int) throws {
        let scratch = Scratch()
        try made(scratch)
        try scratch.write("a.db", Array(try scratch.bytes("a.db").prefix(count)))
        let error = #expect(throws: SQLiteError.self) { try Fixture.open(scratch["a.db"]) }
        #expect(error?.code == .corrupt && error?.message.contains("damaged") == true)
        #expect(try scratch.bytes("a.db").count == count)
    }

    @Test func `garbage in the middle is found by verify and by whoever reads it`() throws {
        let scratch = Scratch()
        try made(scratch)
        var bytes = try scratch.bytes("a.db")
        // Leaves of the table; the schema stays readable.
        for offset in 5 * 4_096..<20 * 4_096 { bytes[offset] = UInt8(truncatingIfNeeded: offset &* 13 &+ 5) }
        try scratch.write("a.db", bytes)

        let database = try Fixture.open(scratch["a.db"])
        #expect(try !database.verify().isEmpty)
        #expect(try !database.verify(thorough: true).isEmpty)
        let outcome = code {
            try database.read { db in try db.forEach("SELECT value FROM items") { _ = try $0.blob(0) } }
        }
        #expect(outcome == .corrupt)
    }

    @Test func `an intact file verifies`() throws {
        let scratch = Scratch()
        try made(scratch)
        #expect(try Fixture.open(scratch["a.db"]).verify().isEmpty)
        #expect(try Fixture.open(scratch["a.db"]).verify(thorough: true).isEmpty)
    }

    @Test func `a creation that a power cut interrupted is begun again`() throws {
        let scratch = Scratch()
        // What SQLite writes first: a rollback journal that says the file had no pages; then the first page, torn.
        var journal: [UInt8] = [0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7]
        journal += [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0x10, 0]
        journal += [UInt8](repeating: 0, count: 512 - journal.count)
        try scratch.write("a.db-journal", journal)
        try scratch.write("a.db", [UInt8](repeating: 0, count: 4_096))
        try Fixture.open(scratch["a.db"]).put(1, [1])
        #expect(try Fixture.open(scratch["a.db"]).count() == 1)
    }

    @Test func `what is no usable path is refused`() throws {
        let scratch = Scratch()
        for path in ["", scratch.path, scratch["no/such/folder/a.db"], "a\0b", String(repeating: "x", count: 5_000)] {
            #expect(code { _ = try Fixture.open(path) } == .cannotOpen)
        }
        symlink(scratch["nowhere.db"], scratch["link.db"])
        #expect(code { _ = try Fixture.open(scratch["link.db"]) } == .cannotOpen)
        #expect(scratch.names == ["link.db"])
    }

    @Test func `a backup is whole, and never replaces a file`() throws {
        let scratch = Scratch()
        try made(scratch)
        let database = try Fixture.open(scratch["a.db"])
        let isDone = Gate()
        let writer = Thread(name: "writer") {
            var key = 1_000
            while !isDone.isOpen {
                key += 2
                #expect(throws: Never.self) {
                    try database.write { db in
                        try db.execute("INSERT INTO items VALUES (?1, x'00')", [.integer(key)])
                        try db.execute("INSERT INTO items VALUES (?1, x'00')", [.integer(key + 1)])
                    }
                }
            }
        }
        try database.backup(to: scratch["copy.db"])
        isDone.open()
        writer.join()

        #expect(!scratch.names.contains { $0.contains("partial") })
        let copy = try Fixture.open(scratch["copy.db"])
        #expect(try copy.verify(thorough: true).isEmpty)
        #expect(try copy.count() >= 500 && copy.count().isMultiple(of: 2))
        #expect(code { try database.backup(to: scratch["copy.db"]) } == .cannotOpen)
        #expect(code { try database.backup(to: scratch["no/folder"]) } == .cannotOpen)

        let memory = try Fixture.open(":memory:")
        try memory.put(1, [7])
        try memory.backup(to: scratch["memory.db"])
        #expect(try Fixture.open(scratch["memory.db"]).get(1) == [7])
    }
}
