import DaleksCore
import DaleksHTTP
import DaleksSystem
import DaleksTestSupport
import Glibc
import Testing

@testable import DaleksHTTPClient

/// Child programs and the S3 stand-in.
struct SupportTests {
    @Test func `a child is heard and its end is known`() throws {
        let child = try ChildProcess("sh", ["-c", "echo one; echo $WORD >&2; exit 3"], environment: ["WORD": "two"])

        #expect(try child.line(within: .seconds(5)) { $0 == "two" } == "two")
        #expect(child.wait(within: .seconds(5)) == 3)
        #expect(child.lines == ["one", "two"])
    }

    @Test func `waiting for words that never come says what came instead`() throws {
        let child = try ChildProcess("sh", ["-c", "echo something else"])

        let failure = #expect(throws: ChildProcess.Failure.self) {
            try child.line(within: .seconds(5)) { $0 == "ready" }
        }
        #expect(failure?.description.contains("something else") == true)
    }

    @Test func `stopping ends a child that will not hear, and its children`() throws {
        let child = try ChildProcess("sh", ["-c", "trap '' TERM; sleep 100 & echo $!; while :; do wait; done"])
        let grandchild = try #require(Int32(try child.line(within: .seconds(5)) { !$0.isEmpty }))

        child.stop(within: .milliseconds(50))

        #expect(child.exitCode == -SIGKILL)
        #expect(waitUntilGone(grandchild))
    }

    @Test func `what a child leaves behind is killed when it is stopped`() throws {
        let child = try ChildProcess("sh", ["-c", "sleep 100 >/dev/null 2>&1 & echo $!"])
        let orphan = try #require(Int32(try child.line(within: .seconds(5)) { !$0.isEmpty }))
        #expect(child.wait(within: .seconds(5)) == 0)
        #expect(!waitUntilGone(orphan, tries: 1))

        child.stop()

        #expect(waitUntilGone(orphan))
    }

    @Test(.enabled(if: S3StandIn.unavailability == nil, "the S3 stand-in is not available: see Tests/venv"))
    func `the S3 stand-in answers and asks for a signature`() throws {
        var template = Array("/tmp/daleks-s3-XXXXXX".utf8CString)
        let folder = try template.withUnsafeMutableBufferPointer { buffer in
            guard let path = buffer.baseAddress, mkdtemp(path) != nil else { throw Errno.last }
            return String(cString: path)
        }
        let service = try S3StandIn(folder: folder, buckets: ["chunks"])

        let response = try HTTPClient.forTests().send(ClientRequest(.get, "\(service.endpoint)/chunks"))

        #expect(response.status.isClientError)
        service.stop()
        rmdir("\(folder)/chunks")
        rmdir(folder)
    }

    private func waitUntilGone(_ id: Int32, tries: Int = 1_000) -> Bool {
        for _ in 0..<tries {
            // A zombie that nobody has collected yet is gone as well.
            guard kill(id, 0) == 0, !isZombie(id) else { return true }
            usleepMilliseconds(2)
        }
        return false
    }

    private func isZombie(_ id: Int32) -> Bool {
        guard let file = try? FileDescriptor.open("/proc/\(id)/stat", 0) else { return true }
        var buffer = [UInt8](repeating: 0, count: 400)
        let count = buffer.withUnsafeMutableBytes { (try? file.read(into: $0)) ?? 0 }
        return String(decoding: buffer[..<count], as: UTF8.self).contains(") Z ")
    }
}
