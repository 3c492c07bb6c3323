import DaleksCore
import DaleksSystem
import DaleksTestSupport
import Glibc
import Testing

/// A service manager's end of the notification socket.
private final class Manager: Sendable {
    let raw: Int32
    let name: String

    init(_ name: String) throws {
        self.name = name
        raw = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        var bytes = Array(name.utf8)
        if name.hasPrefix("@") { bytes[0] = 0 }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        let length = socklen_t(MemoryLayout<sa_family_t>.size + bytes.count)
        let descriptor = raw
        let bound = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, length) }
        }
        guard bound == 0 else { throw Errno.last }
        var patience = timeval(tv_sec: 5, tv_usec: 0)
        setsockopt(raw, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
    }

    deinit {
        close(raw)
        if !name.hasPrefix("@") { unlink(name) }
    }

    func receive() -> String {
        var buffer = [UInt8](repeating: 0, count: 4_096)
        let count = recv(raw, &buffer, buffer.count, 0)
        return count < 0 ? "nothing" : String(decoding: buffer[..<count], as: UTF8.self)
    }
}

@Suite struct ServiceTests {
    private let folder = ScratchFolder()

    @Test(arguments: [true, false])
    func `the manager hears every state`(isAbstract: Bool) throws {
        let name = isAbstract ? "@daleks-test-\(Random.word())" : folder.path("notify")
        let manager = try Manager(name)
        let socket = NotificationSocket(environment: ["NOTIFY_SOCKET": name])
        #expect(socket.isListening)
        #expect(socket.send("READY=1"))
        #expect(manager.receive() == "READY=1")
        #expect(socket.sendStatus("two\nlines"))
        #expect(manager.receive() == "STATUS=two lines")
        #expect(socket.sendReloading())
        let reloading = manager.receive()
        #expect(reloading.hasPrefix("RELOADING=1\nMONOTONIC_USEC="))
        #expect(Int(reloading.split(separator: "=").last ?? "") != nil)
    }

    @Test func `the program's own calls reach the manager its environment names`() async throws {
        let name = folder.path("notify")
        let manager = try Manager(name)
        await #expect(processExitsWith: .success) { [name = name as String] in
            setenv("NOTIFY_SOCKET", name, 1)
            setenv("WATCHDOG_USEC", "30000000", 1)
            setenv("WATCHDOG_PID", "\(getpid())", 1)
            ServiceNotifier.ready()
            ServiceNotifier.status("serving")
            ServiceNotifier.watchdog()
            ServiceNotifier.reloading()
            ServiceNotifier.stopping()
            ServiceNotifier.notify("WATCHDOG=trigger")
            exit(ServiceNotifier.watchdogInterval == .seconds(30) ? 0 : 1)
        }
        #expect(manager.receive() == "READY=1")
        #expect(manager.receive() == "STATUS=serving")
        #expect(manager.receive() == "WATCHDOG=1")
        #expect(manager.receive().hasPrefix("RELOADING=1\n"))
        #expect(manager.receive() == "STOPPING=1")
        #expect(manager.receive() == "WATCHDOG=trigger")
    }

    @Test(arguments: [
        [:], ["NOTIFY_SOCKET": ""], ["NOTIFY_SOCKET": "relative"], ["NOTIFY_SOCKET": "vsock:2:1"],
        ["NOTIFY_SOCKET": "/no/such/socket"], ["NOTIFY_SOCKET": "/" + String(repeating: "x", count: 200)],
    ])
    func `where no manager listens, nothing happens`(environment: [String: String]) {
        #expect(!NotificationSocket(environment: environment).send("READY=1"))
    }

    @Test func `a path of the greatest length still works`() throws {
        // 107 bytes and the NUL fill the address.
        let name =
            "/tmp/" + String(repeating: "n", count: 102 - 20) + String(Random.word() | 1 << 63, radix: 10).prefix(20)
        #expect(name.utf8.count > 100 && name.utf8.count <= 107)
        let manager = try Manager(name)
        #expect(NotificationSocket(environment: ["NOTIFY_SOCKET": name]).send("READY=1"))
        #expect(manager.receive() == "READY=1")
    }

    @Test func `the watchdog is for this process only`() {
        func interval(_ environment: [String: String]) -> Duration? {
            NotificationSocket.watchdogInterval(environment: environment, processID: 42)
        }
        #expect(interval([:]) == nil)
        #expect(interval(["WATCHDOG_USEC": "500000"]) == .milliseconds(500))
        #expect(interval(["WATCHDOG_USEC": "500000", "WATCHDOG_PID": "42"]) == .milliseconds(500))
        #expect(interval(["WATCHDOG_USEC": "500000", "WATCHDOG_PID": "43"]) == nil)
        #expect(interval(["WATCHDOG_USEC": "0"]) == nil)
        #expect(interval(["WATCHDOG_USEC": "soon"]) == nil)
    }

    @Test func `signals are waited for, in any order, and time ends a wait`() {
        let seen = Lock<[Int32?]>([])
        // Signals to one thread, because the other threads of a test process do not block them.
        let waiter = Thread(name: "signals") {
            let signals = SignalWaiter([SIGUSR1, SIGUSR2])
            seen.withLock { $0.append(signals.wait(timeout: .milliseconds(20))) }
            pthread_kill(pthread_self(), SIGUSR2)
            seen.withLock { $0.append(signals.wait()) }
            pthread_kill(pthread_self(), SIGUSR1)
            seen.withLock { $0.append(signals.wait(timeout: .seconds(10))) }
            seen.withLock { $0.append(signals.wait(timeout: .seconds(-1))) }
        }
        waiter.join()
        #expect(seen.withLock { $0 } == [nil, SIGUSR2, SIGUSR1, nil])
    }

    @Test func `a signal ends a wait that has begun`() {
        let target = Lock<pthread_t?>(nil)
        let seen = Lock<Int32?>(nil)
        let waiter = Thread(name: "signals") {
            let signals = SignalWaiter([SIGUSR1])
            target.withLock { $0 = pthread_self() }
            let signal = signals.wait(timeout: .seconds(20))
            seen.withLock { $0 = signal }
        }
        #expect(eventually { target.withLock { $0 != nil } })
        usleep(20_000)
        if let thread = target.withLock({ $0 }) { pthread_kill(thread, SIGUSR1) }
        waiter.join()
        #expect(seen.withLock { $0 } == SIGUSR1)
    }

    @Test func `a broken pipe is an error and not a death`() async {
        await #expect(processExitsWith: .exitCode(0)) {
            _ = SignalWaiter([SIGUSR1])
            var ends: [Int32] = [0, 0]
            guard pipe(&ends) == 0 else { exit(1) }
            let writing = FileDescriptor(owning: ends[1])
            close(ends[0])
            do throws(Errno) {
                try writing.writeAll([1])
                exit(2)
            } catch {
                exit(error == .brokenPipe ? 0 : 3)
            }
        }
    }

    @Test func `the environment is read as it was given`() async {
        // In a process of its own: setting a variable while another thread reads them is undefined.
        await #expect(processExitsWith: .exitCode(0)) {
            setenv("DALEKS_TEST_VARIABLE", "a=b", 1)
            guard Environment.current["DALEKS_TEST_VARIABLE"] == "a=b" else { exit(1) }
            unsetenv("DALEKS_TEST_VARIABLE")
            guard Environment.current["DALEKS_TEST_VARIABLE"] == nil else { exit(2) }
            exit(Environment.current["PATH"] == nil ? 3 : 0)
        }
    }
}
