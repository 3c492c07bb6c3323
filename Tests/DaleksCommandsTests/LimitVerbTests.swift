import DaleksCore
import DaleksJSON
import DaleksSystem
import DaleksTestSupport
import Glibc
import Testing

/// How fast a mount may send and receive: as it was mounted, changed while it lives, and kept to.
@Suite(.needs(.fuse), .serialized) struct LimitVerbTests {
    private let ann: Person
    private let here: String

    init() throws {
        ann = try Household.shared.get().person()
        here = ann.path("daleks")
        try Files.createPrivateDirectory(here, durable: false)
    }

    /// Bytes that nothing makes smaller and no two files share.
    private func bytes(_ count: Int) -> [UInt8] { Random.bytes(count: count) }

    private func write(_ bytes: [UInt8], to name: String) throws {
        try Files.writeAtomically("\(here)/\(name)", bytes, mode: 0o644, durable: false)
    }

    private func rate(_ count: Int, _ body: () throws -> Void) rethrows -> Double {
        let began = TimeSource.system.now
        try body()
        return Double(count) / (Double((TimeSource.system.now - began).nanoseconds) / 1e9)
    }

    @Test func `a mount sends and receives no faster than it was told, and small changes do not wait`() throws {
        let limit = 4 << 20
        try ann.done("mount --upload-limit 4MiB --download-limit 4MiB")
        defer { _ = try? ann.run(["umount", "--now"]) }
        #expect(
            try ann.done("status").contains("Files are sent at up to 4.0 MiB a second and received at up to 4.0 MiB")
        )
        let status = try ann.json("status")
        #expect(try status.integer("upload_limit") == Int64(limit))
        #expect(try status.integer("download_limit") == Int64(limit))

        let content = bytes(8 << 20)
        try write(content, to: "large")
        // While that is on its way the region hears of a new folder at once.
        Gate().wait(timeout: .milliseconds(500))
        let began = TimeSource.system.now
        try Files.createPrivateDirectory("\(here)/folder", durable: false)
        #expect(eventually(within: .seconds(10)) { (try? ann.done("ls /"))?.contains("folder") ?? false })
        let waited = TimeSource.system.now - began
        #expect(waited < .seconds(1), "a new folder took \(waited)")
        #expect(try ann.json("status").integer("pending") > 0, "the large file was there before the folder")
        try ann.done("sync")

        let more = bytes(6 << 20)
        let sent = try rate(more.count) {
            try write(more, to: "more")
            try ann.done("sync")
        }
        #expect((0.8...1.2).contains(sent / Double(limit)), "sent at \(sent) bytes a second of \(limit)")

        // Brought there by another way, so that nothing here remembers it.
        try ann.write(more, to: "outside")
        try ann.done("put outside /outside")
        #expect(eventually { access("\(here)/outside", F_OK) == 0 })
        var read: [UInt8] = []
        let received = try rate(more.count) { read = try Files.readAll("\(here)/outside", max: 1 << 24) }
        #expect(read == more)
        #expect((0.8...1.2).contains(received / Double(limit)), "received at \(received) bytes a second of \(limit)")
    }

    @Test func `limits are set and lifted while it lives; a pause stops what is slow, and keeps it`() throws {
        try ann.done("mount")
        defer { _ = try? ann.run(["umount", "--now"]) }
        #expect(!(try ann.done("status").contains("at up to")))
        #expect(try ann.done("pause --upload-limit 64KiB") == "Files are sent at up to 64.0 KiB a second.\n")
        let text = try ann.done("status")
        #expect(text.contains("`daleks resume --upload-limit 0` lifts that.") && !text.contains("Paused"))

        try write(bytes(4 << 20), to: "large")
        Gate().wait(timeout: .seconds(1))
        let pausing = TimeSource.system.now
        #expect(try ann.done("pause") == "Paused.\n")
        #expect(TimeSource.system.now - pausing < .seconds(4))
        let sent = try ann.done("metrics")
        #expect(try ann.json("status").integer("pending") > 0)

        #expect(
            try ann.done("resume --upload-limit 0 --download-limit 1MiB").hasPrefix("Resumed. Files are received at")
        )
        try ann.done("sync --timeout 30s")
        #expect(try ann.json("status").integer("pending") == 0)
        #expect(sent.contains("daleks_region_bytes_total"))
        #expect(try ann.done("resume --download-limit 0") == "Resumed.\n")
    }

    @Test func `a limit that no server waits for is refused, and one for all mounts is no wish to go on sending`()
        throws
    {
        #expect(try ann.refused("pause --upload-limit 100", code: 2).contains("16KiB is the least"))
        #expect(try ann.refused("mount --download-limit 1KiB", code: 2).contains("16KiB is the least"))
        #expect(try ann.refused("pause --upload-limit much", code: 2).contains("--upload-limit"))
        var cautious = ann
        cautious.environment["DALEKS_UPLOAD_LIMIT"] = "1MiB"
        try cautious.done("mount")
        defer { _ = try? ann.run(["umount", "--now"]) }
        #expect(try ann.json("status").integer("upload_limit") == 1 << 20)
        #expect(try cautious.done("pause") == "Paused.\n")
        #expect(try ann.done("status").contains("Paused"))
    }
}
