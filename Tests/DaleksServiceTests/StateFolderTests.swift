import DaleksCore
import DaleksSystem
import DaleksTestSupport
import Glibc
import Testing

@testable import DaleksService

struct StateFolderTests {
    private let scratch = ScratchFolder()

    private func mode(_ name: String) -> UInt32 {
        var status = stat()
        return stat(scratch.path(name), &status) == 0 ? status.st_mode & 0o777 : 0
    }

    @Test func `it is made for its owner alone, and one process has it at a time`() throws {
        let first = try StateFolder(scratch.path("a/b"), database: "x.db")

        let error = #expect(throws: ServiceFailure.self) { try StateFolder(first.path, database: "x.db") }
        first.release()
        _ = try StateFolder(first.path, database: "x.db")

        #expect(mode("a/b") == 0o700)
        #expect(error?.description.contains("in use by process \(getpid())") == true)
    }

    @Test func `an open folder is closed where it is ours, and refused where it holds other things`() throws {
        for (folder, file) in [("ours", "x.db"), ("theirs", "letter")] {
            try Files.createPrivateDirectory(scratch.path(folder), durable: false)
            try scratch.write("", to: "\(folder)/\(file)")
            #expect(chmod(scratch.path(folder), 0o755) == 0)
        }

        _ = try StateFolder(scratch.path("ours"), database: "x.db")
        let error = #expect(throws: ServiceFailure.self) {
            try StateFolder(scratch.path("theirs"), database: "x.db")
        }

        #expect(mode("ours") == 0o700 && mode("theirs") == 0o755)
        #expect(error?.description.contains("choose another with --state") == true)
    }
}
