import Glibc

/// The signal that gets a thread out of a read of /dev/fuse. It does nothing else, and is sent to our own threads only.
enum WakeSignal {
    /// The last but two of the real-time signals, which nobody sends by accident.
    static let number = __libc_current_sigrtmax() - 2

    static func install() { _ = installed }

    private static let installed: Bool = {
        var action = sigaction()
        action.__sigaction_handler.sa_handler = { _ in }
        // Without SA_RESTART the read ends with EINTR.
        return sigaction(number, &action, nil) == 0
    }()

    /// A program may start its threads with all signals blocked.
    static func unblock() {
        var set = sigset_t()
        sigemptyset(&set)
        sigaddset(&set, number)
        pthread_sigmask(SIG_UNBLOCK, &set, nil)
    }
}
