import DaleksCore
import DaleksJSON
import DaleksSystem
import DaleksTestSupport
import Glibc
import Testing

/// `ls put get rm mv mkdir`: files without a mount.
@Suite struct FileVerbTests {
    private let house: Household
    private let ann: Person

    init() throws {
        house = try Household.shared.get()
        ann = try house.person()
    }

    /// As many that do not look alike, quickly: a random block again and again, each time with its number in front.
    private func bytes(_ count: Int) -> [UInt8] {
        var generator = SeededGenerator(seed: UInt64(count))
        let block = (0..<(64 << 10)).map { _ in UInt8.random(in: 0...255, using: &generator) }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count + block.count)
        while bytes.count < count {
            bytes.append(UInt8(truncatingIfNeeded: bytes.count >> 16))
            bytes += block
        }
        return Array(bytes[..<count])
    }

    /// Uploads go in blocks of 8 MiB; with `DALEKS_ROUNDS` the sizes about those are tried too, which takes minutes in
    /// a build for development.
    private static let sizes: [Int] =
        [0, 1, 1 << 20]
        + (Environment.current["DALEKS_ROUNDS"] == nil ? [] : [(8 << 20) - 1, 8 << 20, (16 << 20) + 5])

    @Test(arguments: sizes)
    func `what is put is what is got, whether it comes from a file or a pipe`(count: Int) throws {
        let bytes = bytes(count)
        try ann.write(bytes, to: "file")

        try ann.done("put file daleks:/first")
        var command = ann.command(["put", "-", "daleks:/second"])
        command.input = .bytes(bytes)
        #expect(try Subprocess.capture(command, timeout: .seconds(60)).ending == .exited(0))
        let got = try ann.json("get daleks:/first back")
        try ann.done("get daleks:/second")

        #expect(try got.bool("checked"))
        #expect(try got.integer("bytes") == Int64(count))
        #expect(try ann.read("back") == bytes)
        #expect(try ann.read("second") == bytes)
        let shown = try Subprocess.capture(ann.command(["get", "/first", "-"]), timeout: .seconds(60))
        #expect(shown.output == bytes)
    }

    @Test func `folders are made, listed, moved and removed`() throws {
        try ann.write(Array("hello\n".utf8), to: "hello.txt")

        try ann.done("mkdir -p /letters/2026")
        try ann.done("mkdir -p /letters/2026")
        try ann.done("put hello.txt /letters/2026/")
        #expect(try ann.done("ls /letters") == "2026/\n")
        #expect(try ann.done("ls -l daleks:/letters/2026").contains("-rw-r--r--  6  20"))
        try ann.done("mv /letters/2026/hello.txt /letters/first.txt")
        try ann.done("mv /letters/2026 /letters/first.txt /")
        let names = try ann.json("ls").array("entries").map { try $0.string("name") }
        #expect(names == ["2026", "first.txt", "letters"])
        try ann.done("rm /first.txt")
        try ann.done("rm -r /letters /2026")
        #expect(try ann.done("ls").isEmpty)
        try ann.done("rm -f /first.txt")
    }

    @Test func `what replaces a file becomes its next version`() throws {
        try ann.done("put - /note", input: "one")
        let first = try ann.json("ls /").array("entries")[0].object("node").integer("content")
        try ann.done("put - /note", input: "two")

        #expect(try ann.done("get /note -") == "two")
        #expect(try ann.done("get --content \(first) /note -") == "one")
        #expect(
            try ann.refused("get --content 999999 /note -").contains("has no content 999999; `daleks versions` lists")
        )
    }

    @Test func `mode and time go along where that is asked for`() throws {
        try ann.write([1], to: "tool")
        #expect(chmod(ann.path("tool"), 0o755) == 0)
        var times = [timeval(tv_sec: 1_000_000_000, tv_usec: 0), timeval(tv_sec: 1_000_000_000, tv_usec: 0)]
        #expect(utimes(ann.path("tool"), &times) == 0)

        try ann.done("put -p tool /")
        try ann.done("get /tool copy")

        var status = stat()
        #expect(stat(ann.path("copy"), &status) == 0)
        #expect(status.st_mode & 0o777 == 0o755 && status.st_mtim.tv_sec == 1_000_000_000)
    }

    @Test func `each mistake has one line that says what to do`() throws {
        try ann.done("mkdir /folder")
        try ann.done("put - /file", input: "x")
        #expect(try ann.refused("ls /nothing").contains("/nothing: there is no such file or folder"))
        #expect(try ann.refused("ls nothing", code: 2).contains("is in no mount; write daleks:/nothing"))
        #expect(try ann.refused("get /folder").contains("is a folder"))
        #expect(try ann.refused("get /file /nonexistent/file").contains("cannot be written"))
        #expect(try ann.refused("put nothing /").contains("nothing cannot be read: No such file or directory"))
        #expect(try ann.refused("put - /folder", code: 2, input: "x").contains("input has no name; write one"))
        #expect(try ann.refused("put - /none/file", input: "x").contains("/none"))
        #expect(try ann.refused("put / /file").contains("is a folder"))
        #expect(try ann.refused("mkdir /folder").contains("has this name already"))
        #expect(try ann.refused("mkdir /a/b").contains("/a: there is no such"))
        #expect(try ann.refused("mv /file /folder/../x", code: 2).contains(".."))
        #expect(try ann.refused("mv /nothing /else").contains("/nothing"))
        #expect(try ann.refused("rm /folder").contains("is a folder; add -r to remove it"))
        #expect(try ann.refused("rm -r /", code: 2).contains("root"))
        #expect(try ann.refused("rm", code: 2).contains("usage"))
        let stranger = Person(name: "stranger", home: ann.path("stranger"))
        try Files.createPrivateDirectory(stranger.home, durable: false)
        #expect(try stranger.refused("ls").contains("daleks login"))
    }

    @Test func `Ctrl-C while a file is put leaves nothing of it`() throws {
        #expect(mkfifo(ann.path("pipe"), 0o600) == 0)
        var command = ann.command(["put", "pipe", "/endless"])
        let said = Condition("")
        command.errors = .lines { line in
            said.withLock { $0 += line }
            said.broadcast()
        }
        let process = try Subprocess.start(command)
        // Opening waits for the reader. More than a block: some of it is on its way to the region, or there, by then.
        let pipe = try FileDescriptor.open(ann.path("pipe"), O_WRONLY)
        try pipe.writeAll([UInt8](repeating: 7, count: 9 << 20))
        process.send(SIGINT)

        #expect(process.wait(timeout: .seconds(20)) == .signaled(SIGINT))
        #expect(said.wait(timeout: .seconds(5)) { $0.contains("nothing of") ? true : nil } == true)
        try pipe.close()
        #expect(try ann.done("ls").isEmpty)
    }

    /// Puts a file of three blocks, so slowly that it can be ended once one of them is there. Where the same command
    /// goes on then.
    private func broken(_ file: [UInt8], by signal: Int32, _ meanwhile: () throws -> Void = {}) throws -> Int64 {
        try ann.write(file, to: "film")
        var command = ann.command(["put", "--upload-limit", "8MiB", "film", "/film"])
        let said = Lock("")
        command.errors = .lines { line in said.withLock { $0 += line } }
        let process = try Subprocess.start(command)
        #expect(eventually { (try? markedOffsets())?.contains(8 << 20) ?? false })
        process.send(signal)
        #expect(process.wait(timeout: .seconds(10)) == .signaled(signal))
        #expect(try ann.done("ls").isEmpty)
        if signal == SIGINT {
            #expect(eventually { said.withLock { $0.contains("the same command goes on where it was") } })
        }
        try meanwhile()
        return try ann.json("put film /film").array("put")[0].integer("resumed_at")
    }

    /// Up to where what is under way is remembered.
    private func markedOffsets() throws -> [Int64] {
        guard let name = try leftRecords().first else { return [] }
        let bytes = try Files.readAll(ann.path(".local/state/daleks/default/uploads/\(name)"), max: 1 << 20)
        // The first of two is what the region has for sure.
        return try JSONReader(try JSONValue.parse(bytes)).array("sent").prefix(1).map { try $0.integer("offset") }
    }

    private func leftRecords() throws -> [String] {
        try Files.entries(of: ann.path(".local/state/daleks/default/uploads"))
    }

    @Test(arguments: [SIGINT, SIGKILL]) func `what of a file is there is not sent again by a later run`(
        signal: Int32
    ) throws {
        let bytes = bytes(24 << 20)
        let sent = try broken(bytes, by: signal)
        #expect(sent == 8 << 20 || sent == 16 << 20, "went on at \(sent)")
        try ann.done("get /film back")
        #expect(try ann.read("back") == bytes)
        #expect(try leftRecords().isEmpty)
    }

    @Test func `a file that changed meanwhile is sent from its beginning, and nothing of the other stays`() throws {
        var bytes = bytes(24 << 20)
        let sent = try broken(bytes, by: SIGKILL) {
            bytes[0] ^= 1
            try ann.write(bytes, to: "film")
        }
        #expect(sent == 0)
        try ann.done("get /film back")
        #expect(try ann.read("back") == bytes)
        #expect(try leftRecords().isEmpty)
    }

    @Test func `a file that gets shorter while it is sent is not taken for whole`() throws {
        let bytes = bytes(24 << 20)
        try ann.write(bytes, to: "film")
        let cutter = Thread(name: "cut") {
            _ = eventually { (try? leftRecords())?.isEmpty == false }
            truncate(ann.path("film"), 12 << 20)
        }
        #expect(
            try ann.refused("put --upload-limit 8MiB film /film").contains(
                "film changed while it was sent; put it again"
            )
        )
        cutter.join()
        #expect(try ann.done("ls").isEmpty)
        #expect(try leftRecords().isEmpty)
    }

    @Test func `a file that is being got is not got twice at once`() throws {
        try ann.done("put - /file", input: "x")
        let node = try ann.json("ls").array("entries")[0].object("node")
        let part = ann.path(".daleks-\(try node.string("id"))-\(try node.integer("content")).part")
        let holder = try Subprocess.start(Command("flock", [part, "sleep", "30"], deathSignal: SIGKILL))
        defer { _ = holder.terminate(grace: .zero) }
        #expect(eventually { access(part, F_OK) == 0 })
        let words = "is being got already; wait for the other"
        #expect(eventually { (try? ann.refused("get /file"))?.contains(words) ?? false })
    }

    @Test func `an upload that the region no longer knows begins anew`() throws {
        let bytes = bytes(24 << 20)
        let sent = try broken(bytes, by: SIGKILL) {
            let folder = ann.path(".local/state/daleks/default/uploads")
            let name = try #require(try leftRecords().first)
            let text = String(decoding: try Files.readAll("\(folder)/\(name)", max: 1 << 20), as: UTF8.self)
            let json = JSONReader(try JSONValue.parse(Array(text.utf8)))
            let location = try json.string("location")
            let other = text.replacing(location, with: "/v1/uploads/00000000000000000000000000000000")
            try Files.writeAtomically("\(folder)/\(name)", Array(other.utf8), mode: 0o600, durable: false)
        }
        #expect(sent == 0)
        try ann.done("get /film back")
        #expect(try ann.read("back") == bytes)
    }

    @Test func `what came of a file is not fetched again, and is not believed unseen`() throws {
        let bytes = bytes(5 << 20)
        try ann.write(bytes, to: "file")
        try ann.done("put file /file")
        let node = try ann.json("ls").array("entries")[0].object("node")
        let part = ".daleks-\(try node.string("id"))-\(try node.integer("content")).part"

        try ann.write(Array(bytes[..<(3 << 20)]), to: part)
        try ann.done("get /file back")
        #expect(try ann.read("back") == bytes)

        try ann.write([UInt8](repeating: 7, count: 3 << 20), to: part)
        #expect(try ann.refused("get /file other").contains("get it again"))
        #expect(try Files.entries(of: ann.home).filter { $0.contains("part") || $0 == "other" }.isEmpty)
        try ann.done("get /file other")
        #expect(try ann.read("other") == bytes)
    }
}
