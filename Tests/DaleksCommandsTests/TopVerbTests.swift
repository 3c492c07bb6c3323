import DaleksJSON
import DaleksSystem
import DaleksTestSupport
import Glibc
import Testing

/// What a mount counts, and who can see it.
@Suite(.needs(.fuse)) struct TopVerbTests {
    private let ann: Person
    private let here: String

    init() throws {
        ann = try Household.shared.get().person()
        here = ann.path("daleks")
        try Files.createPrivateDirectory(here, durable: false)
    }

    private func shell(_ script: String) throws -> String {
        let captured = try Subprocess.capture(Command("sh", ["-ec", script]), timeout: .seconds(30))
        return captured.ending == .exited(0) ? captured.outputText : "\(captured.ending): \(captured.errorText)"
    }

    @Test func `what the kernel asked and what went over the line is counted`() throws {
        try ann.done("mount")
        defer { _ = try? ann.run(["umount"]) }
        #expect(try shell("head -c 3000000 /dev/urandom > '\(here)/file'; cat '\(here)/file' > /dev/null").isEmpty)
        try ann.done("sync")

        let text = try ann.done("metrics")
        #expect(text.contains("daleks_mount_operation_seconds_count{operation=\"create\"} 1\n"))
        #expect(text.contains("daleks_region_request_seconds_count{request=\"batch\"} "))
        #expect(text.contains("daleks_region_connected 1\n"))
        let sent = text.split(separator: "\n").first { $0.hasPrefix("daleks_region_bytes_total{direction=\"up\"}") }
        #expect(sent?.split(separator: " ").last.flatMap { Double($0) } ?? 0 >= 3_000_000)
        // No name and no path of a file is in it.
        #expect(!text.contains(here) && !text.contains("file\""))
    }

    @Test func `a picture says how many a second, and how long they took`() throws {
        try ann.done("mount")
        defer { _ = try? ann.run(["umount"]) }
        let pause = Gate()
        let worker = Thread(name: "work") { [here] in
            for number in 0..<300 {
                if let file = try? FileDescriptor.open("\(here)/file \(number)", O_CREAT | O_WRONLY, mode: 0o644) {
                    try? file.writeAll([1, 2, 3])
                }
                pause.wait(timeout: .milliseconds(5))
            }
        }
        defer { worker.join() }
        let json = try ann.done("top --json --interval 1s")
        let picture = try JSONReader(JSONValue.parse(Array(json.utf8)))
        let operations = try picture.member("operations").arrayValue()
        let create = try #require(try operations.first { try $0.string("name") == "create" })
        #expect(try create.member("per_second").doubleValue() > 1)
        let mean = try create.member("mean_seconds").doubleValue()
        #expect(mean > 0 && mean < 1)
        #expect(try picture.string("mount_point") == here)

        let text = try ann.done("top --interval 200ms")
        #expect(text.contains("\(here): \(ann.email), region"))
        #expect(text.contains("a second"))
        #expect(!text.contains("\u{1B}"))
        #expect(text.split(separator: "\n").allSatisfy { $0.utf8.count <= 80 || $0.contains(here) })
    }

    @Test func `a collector on this machine is answered, and nobody's page`() throws {
        let port = try LoopbackSocket.freePort()
        let daemon = try ChildProcess(
            "\(RunningProgram.folder)/daleksd",
            [
                "--metrics-port", "\(port)", "--credentials", ann.path(".config/daleks/default.json"), "--state",
                ann.path("state"), here,
            ]
        )
        defer { daemon.stop(within: .seconds(30)) }
        let url = "http://127.0.0.1:\(port)/metrics"
        #expect(eventually { (try? shell("curl -fsS -o /dev/null \(url)"))?.isEmpty == true })
        #expect(try shell("curl -fsS \(url)").contains("process_resident_memory_bytes "))
        #expect(try shell("curl -s -o /dev/null -w '%{http_code}' -H 'Host: evil.example' \(url)") == "403")
        #expect(try shell("curl -s -o /dev/null -w '%{http_code}' \(url)/x") == "404")

        let second = try Subprocess.capture(
            Command(
                "\(RunningProgram.folder)/daleksd",
                [
                    "--metrics-port", "\(port)", "--credentials", ann.path(".config/daleks/default.json"), "--state",
                    ann.path("other-state"), ann.path("other"),
                ]
            ),
            timeout: .seconds(30)
        )
        #expect(second.ending == .exited(1))
        #expect(second.errorText.contains("port \(port) on 127.0.0.1 is taken; choose another with --metrics-port"))
    }
}
