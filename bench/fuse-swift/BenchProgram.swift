import DaleksCore
import DaleksFUSE
import DaleksSystem
import Glibc

/// Mounts the bench's file system and serves it until SIGTERM, SIGINT or somebody's unmount.
///
/// `bench-fuse FOLDER [--threads N] [--trace] [--stuck]`, or `bench-fuse map FILE OFFSET BYTE`: maps a file into
/// memory, prints the byte there and puts another in its place, for tests that serve the file themselves and so must
/// not. With `--stuck` nobody is ever told of the name `stuck`, and a notice of it waits for that.
enum BenchProgram {
    static func run(_ arguments: [String]) -> Int32 {
        guard let path = arguments.first, !path.hasPrefix("-") else {
            complain("usage: bench-fuse FOLDER [--threads N] [--trace]")
            return 2
        }
        if path == "map" { return map(arguments) }
        let threads = arguments.firstIndex(of: "--threads").flatMap { index in
            index + 1 < arguments.count ? Int(arguments[index + 1]) : nil
        }
        do throws(FUSEError) {
            try serve(
                path,
                threads: threads ?? Limits.FUSE.threadsDefault,
                traces: arguments.contains("--trace"),
                isStuck: arguments.contains("--stuck")
            )
            return 0
        } catch {
            complain(error.description)
            return 1
        }
    }

    private static func serve(_ path: String, threads: Int, traces: Bool, isStuck: Bool) throws(FUSEError) {
        // Blocked before any thread starts, so that all inherit it and only `sigwait` receives them.
        var signals = sigset_t()
        sigemptyset(&signals)
        for signal in [SIGTERM, SIGINT] { sigaddset(&signals, signal) }
        pthread_sigmask(SIG_BLOCK, &signals, nil)

        let served = Lock<FUSESession?>(nil)
        let onStuck: @Sendable () -> Void = {
            // The kernel holds the folder until the name is told, and this thread until it has the folder.
            _ = Thread(name: "notice") {
                try? served.withLock { $0 }?.invalidateEntry(parent: 1, name: Array("stuck".utf8))
            }
        }
        let session = try FUSESession(
            fileSystem: BenchFileSystem(onStuck: isStuck ? onStuck : nil),
            logger: .standard(level: traces ? .debug : .warning),
            traces: traces
        )
        served.withLock { $0 = session }
        try session.mount(at: path)
        _ = Thread(name: "signals") {
            var set = sigset_t()
            sigemptyset(&set)
            for signal in [SIGTERM, SIGINT] { sigaddset(&set, signal) }
            var signal: Int32 = 0
            sigwait(&set, &signal)
            do throws(FUSEError) { try session.unmount(.lazily) } catch { complain(error.description) }
        }
        try session.run(threads: threads)
    }

    private static func map(_ arguments: [String]) -> Int32 {
        guard arguments.count == 4, let offset = Int(arguments[2]), let byte = UInt8(arguments[3]) else { return 2 }
        do throws(Errno) {
            let file = try FileDescriptor.open(arguments[1], O_RDWR)
            let count = offset + 1
            guard let memory = mmap(nil, count, PROT_READ | PROT_WRITE, MAP_SHARED, file.raw, 0), memory != MAP_FAILED
            else { throw .last }
            defer { munmap(memory, count) }
            let line = Array("\(memory.load(fromByteOffset: offset, as: UInt8.self))\n".utf8)
            memory.storeBytes(of: byte, toByteOffset: offset, as: UInt8.self)
            try checking { msync(memory, count, MS_SYNC) }
            _ = write(STDOUT_FILENO, line, line.count)
            return 0
        } catch {
            complain(error.description)
            return 1
        }
    }

    private static func complain(_ text: String) {
        let line = Array("bench-fuse: \(text)\n".utf8)
        _ = write(STDERR_FILENO, line, line.count)
    }
}
