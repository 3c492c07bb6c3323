import DaleksCore
import Glibc

/// Receives signals by waiting for them, so that no code of ours runs inside a signal handler.
///
/// ## Concurrency
/// Make it before any other thread: threads inherit the mask, and a signal that some thread leaves open kills the
/// process instead of waiting here. One thread waits at a time.
public final class SignalWaiter: Sendable {
    private let signals: [Int32]

    /// Blocks these in the calling thread and those it starts from now on. A write to a pipe or socket that nobody
    /// reads becomes an error instead of a signal as well.
    public init(_ signals: [Int32]) {
        self.signals = signals
        var set = Self.set(of: signals)
        let result = pthread_sigmask(SIG_BLOCK, &set, nil)
        precondition(result == 0, "a signal number is not one")
        Self.ignoreBrokenPipes()
    }

    /// SIGPIPE is the business of whoever writes: `EPIPE` says it there.
    public static func ignoreBrokenPipes() { _ = Glibc.signal(SIGPIPE, SIG_IGN) }

    /// The next of the signals, or nil when `timeout` passed first.
    public func wait(timeout: Duration? = nil) -> Int32? {
        var set = Self.set(of: signals)
        guard let timeout else {
            while true {
                let signal = sigwaitinfo(&set, nil)
                if signal > 0 { return signal }
            }
        }
        let deadline = TimeSource.system.now + max(.zero, timeout)
        while true {
            let left = max(0, (deadline - TimeSource.system.now).nanoseconds)
            var interval = timespec(tv_sec: Int(left / 1_000_000_000), tv_nsec: Int(left % 1_000_000_000))
            let signal = sigtimedwait(&set, nil, &interval)
            if signal > 0 { return signal }
            // Another handler may interrupt the wait (EINTR); time itself ends it (EAGAIN).
            if Errno.last == .tryAgain { return nil }
        }
    }

    /// Ends the wait as if the signal had come from outside: how another thread asks the program to stop.
    public func send(_ signal: Int32) {
        precondition(signals.contains(signal), "nobody waits for this signal")
        _ = kill(getpid(), signal)
    }

    private static func set(of signals: [Int32]) -> sigset_t {
        var set = sigset_t()
        sigemptyset(&set)
        for signal in signals { sigaddset(&set, signal) }
        return set
    }
}
