import Glibc

/// A thread of our own, for what blocks: the cooperative pool is as wide as the machine has cores and must not wait.
///
/// It runs to its body's end whether or not anybody keeps this value.
public final class Thread: Sendable {
    private let finished: Gate

    /// Starts at once. The name shows in `top -H`; the kernel keeps 15 bytes of it. For the threads that a program
    /// starts with and cannot be without; where one more is optional, `start` reports a refusal.
    public convenience init(name: String, stackBytes: Int = 1 << 20, _ body: @escaping @Sendable () -> Void) {
        do throws(Errno) {
            try self.init(starting: name, stackBytes: stackBytes, body)
        } catch {
            preconditionFailure("the machine refused the thread \(name): \(error)")
        }
    }

    /// The same, or why the machine refused it.
    public static func start(
        name: String,
        stackBytes: Int = 1 << 20,
        _ body: @escaping @Sendable () -> Void
    ) throws(Errno) -> Thread {
        try Thread(starting: name, stackBytes: stackBytes, body)
    }

    private init(starting name: String, stackBytes: Int, _ body: @escaping @Sendable () -> Void) throws(Errno) {
        let finished = Gate()
        self.finished = finished
        // C gets the box's one reference and `runThread` takes it back.
        let box = Unmanaged.passRetained(ThreadBody(name: name, body: body, finished: finished))
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        pthread_attr_setstacksize(&attributes, stackBytes)
        pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
        var handle = pthread_t()
        let result = pthread_create(&handle, &attributes, runThread, box.toOpaque())
        pthread_attr_destroy(&attributes)
        if result != 0 {
            box.release()
            throw Errno(rawValue: result)
        }
    }

    /// The calling thread lets others go first from now on, for good: for work that nobody waits for, on machines where
    /// somebody works. On Linux this is a thread's own, whatever POSIX says of processes.
    ///
    /// Less time is not all: a thread that works gives way only once its turn is over, some milliseconds later, unless
    /// it asked for longer turns than whoever wakes.
    public static func standBack() {
        _ = nice(Int32(niceness))
        Shim.lengthenTurns(of: 0, to: turnNanoseconds)
    }

    /// The same for a process that was started a moment ago, and for every thread that it will have.
    public static func standBack(process: Int32) {
        setpriority(Int32(bitPattern: PRIO_PROCESS.rawValue), id_t(process), Int32(niceness))
        Shim.lengthenTurns(of: process, to: turnNanoseconds)
    }

    private static let niceness = 5
    private static let turnNanoseconds: UInt = 20_000_000

    /// Waits until the body returned and what it captured was let go. Never from the thread itself.
    public func join() { finished.wait() }
}

private final class ThreadBody: Sendable {
    let name: String
    let body: @Sendable () -> Void
    let finished: Gate

    init(name: String, body: @escaping @Sendable () -> Void, finished: Gate) {
        self.name = name
        self.body = body
        self.finished = finished
    }
}

private func runThread(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    guard let argument else { return nil }
    runBody(argument).open()
    return nil
}

/// Runs the body and lets it go: the box's last reference ends with this call, before anybody who joins goes on.
@inline(never)
private func runBody(_ argument: UnsafeMutableRawPointer) -> Gate {
    let box = Unmanaged<ThreadBody>.fromOpaque(argument).takeRetainedValue()
    Shim.nameThread(box.name)
    box.body()
    return box.finished
}
