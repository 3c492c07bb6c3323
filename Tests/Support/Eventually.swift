import DaleksCore
import DaleksSystem
import Glibc

/// Asks until the answer is true, or says false after the time. For what other threads or processes bring about; the
/// bound is generous because a busy machine is no failure.
public func eventually(within timeout: Duration = .seconds(10), _ isTrue: () throws -> Bool) rethrows -> Bool {
    let deadline = TimeSource.system.now + timeout
    while true {
        if try isTrue() { return true }
        if TimeSource.system.now > deadline { return false }
        usleep(2_000)
    }
}
