import Glibc

/// A thread of our own, for what blocks: the cooperative pool is as wide as the machine has cores and must not wait.
public final class Thread: Sendable {
    private let finished: Gate

    /// Starts at once. The name shows in `top -H`; the kernel keeps 15 bytes of it.
    public init(name: String, stackBytes: Int = 1 << 20, _ body: @escaping @Sendable () -> Void) {
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
        precondition(result == 0, "the machine refused another thread")
    }

    /// Waits until the body returned.
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
    let box = Unmanaged<ThreadBody>.fromOpaque(argument).takeRetainedValue()
    Shim.nameThread(box.name)
    box.body()
    box.finished.open()
    return nil
}
