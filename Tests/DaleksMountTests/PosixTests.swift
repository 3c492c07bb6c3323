import DaleksSystem
import DaleksTestSupport
import Glibc
import Testing

/// The cases of `Tests/PosixProbe`, each a sentence of docs/semantics.md, on a real mount with real services behind it.
@Suite(.serialized) struct PosixTests {
    private static let probe = "\(RunningProgram.folder)/posix-probe"

    private static func names() throws -> [String] {
        let listed = try Subprocess.capture(Command(probe, ["list"]), timeout: .seconds(10))
        return String(decoding: listed.output, as: UTF8.self).split(separator: "\n").map(String.init)
    }

    /// Each in a folder of its own, which must be empty enough afterwards to be taken away.
    private static func run(_ names: [String], on demo: MountedDemo) throws {
        for (number, name) in names.enumerated() {
            let folder = "\(demo.mountPoint)/case-\(number)"
            try checking { mkdir(folder, 0o755) }
            let command = Command(probe, [folder, name], deathSignal: SIGKILL)
            let captured = try Subprocess.capture(command, timeout: .seconds(60))
            let explanation = String(decoding: captured.output, as: UTF8.self)
            #expect(captured.ending.isSuccess, "\(name): \(explanation)")
            try Files.removeTree(folder)
        }
    }

    @Test(.needs(.fuse)) func `a mount that shows everything as its user's keeps what POSIX promises`() throws {
        let demo = try MountedDemo()
        defer { demo.stop() }
        let names = try Self.names().filter { !$0.hasPrefix("stored: ") }
        #expect(names.count > 40)

        try Self.run(names, on: demo)
    }

    @Test(.needs(.fuse), .needs(.root))
    func `a mount that shows stored owners to everybody keeps what POSIX promises`() throws {
        let demo = try MountedDemo(options: "owners=stored,allow_other")
        defer { demo.stop() }

        try Self.run(try Self.names(), on: demo)
    }

    @Test(.needs(.fuse)) func `nobody becomes the owner of what everybody sees as one user's`() throws {
        let demo = try MountedDemo()
        defer { demo.stop() }
        let file = "\(demo.mountPoint)/file"
        try Files.writeAtomically(file, [1], durable: false)

        #expect(chown(file, getuid() + 1, getgid()) == -1 && errno == EPERM)
        #expect(chown(file, getuid(), getgid()) == 0)
        #expect(mknod("\(demo.mountPoint)/null", S_IFCHR | 0o666, 259) == -1 && errno == EPERM)
    }
}
