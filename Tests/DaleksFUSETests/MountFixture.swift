import CFuse
import DaleksCore
import DaleksFUSE
import DaleksSystem
import Glibc
import Testing

/// A mount of a `MemoryTree` in a folder of its own, gone when the fixture is.
final class MountFixture: Sendable {
    let tree: MemoryTree
    let path: String
    let session: FUSESession
    private let serving: Thread
    private let isOver = Gate()
    /// What `run` returned.
    let end: Condition<Result<FUSESession.End, FUSEError>?>

    init(
        _ tree: MemoryTree = MemoryTree(),
        threads: Int = 4,
        logger: Logger = .silent,
        traces: Bool = false,
        configure: (inout FUSEMountOptions) -> Void = { _ in }
    ) throws {
        self.tree = tree
        let path = try Self.makeFolder()
        self.path = path
        var options = FUSEMountOptions()
        options.source = "daleks,test"
        options.subtype = "daleks-test"
        configure(&options)
        let session = try FUSESession(fileSystem: tree, options: options, logger: logger, traces: traces)
        self.session = session
        try session.mount(at: path)
        let end = Condition<Result<FUSESession.End, FUSEError>?>(nil)
        self.end = end
        serving = Thread(name: "run") {
            let result: Result<FUSESession.End, FUSEError>
            do throws(FUSEError) {
                result = .success(try session.run(threads: threads))
            } catch {
                result = .failure(error)
            }
            end.withLock { $0 = result }
            end.broadcast()
        }
        Self.watch(path, session, until: isOver)
        #expect(session.waitUntilReady(timeout: .seconds(5)))
    }

    deinit {
        isOver.open()
        try? session.unmount(.lazily)
        Child.birth.withLock { _ in
            session.exit()
            serving.join()
        }
        rmdir(path)
    }

    /// A process that waits for its own answer cannot be killed, so a test that hangs is let go with errors instead.
    private static func watch(_ path: String, _ session: FUSESession, until isOver: Gate) {
        _ = Thread(name: "watchdog") {
            if isOver.wait(timeout: .seconds(30)) { return }
            // This ends the connection, whatever serves it.
            umount2(path, Int32(MNT_FORCE))
            session.exit()
        }
    }

    /// Unmounts while no child that was just started keeps the mount busy.
    func unmount() throws(FUSEError) {
        try Child.birth.withLock { (_) throws(FUSEError) in try session.unmount() }
    }

    /// What `run` returned, nil while it serves.
    func outcome(within timeout: Duration = .seconds(5)) -> Result<FUSESession.End, FUSEError>? {
        end.wait(timeout: timeout) { $0 }
    }

    func file(_ name: String) -> String { "\(path)/\(name)" }

    static func makeFolder() throws -> String {
        var template = Array("/tmp/daleks-fuse-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw Errno.last }
        return String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// Whether anything is mounted at the path.
    static func isMounted(_ path: String) -> Bool {
        Child.run(["grep", "-cF", " \(path) ", "/proc/self/mountinfo"]).status == 0
    }

    static let isAvailable = access("/dev/fuse", R_OK | W_OK) == 0 && geteuid() == 0
}

extension Trait where Self == ConditionTrait {
    static var needsFUSE: Self {
        .enabled(if: MountFixture.isAvailable, "skipped: /dev/fuse is missing here, or this user may not mount")
    }
}
