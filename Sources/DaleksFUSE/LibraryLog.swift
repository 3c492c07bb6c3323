import CFuse
import DaleksSystem
import Glibc

/// What libfuse would print to standard error goes to a logger.
///
/// ## Concurrency
/// libfuse has one such function a process; the latest session's logger gets what it says.
enum LibraryLog {
    private static let logger = Lock<Logger?>(nil)
    private static let installed: Void = fuse_set_log_func { LibraryLog.receive($0, $1, $2) }

    static func send(to logger: Logger) {
        Self.logger.withLock { $0 = logger }
        installed
    }

    private static func receive(_ level: fuse_log_level, _ format: UnsafePointer<CChar>?, _ arguments: CVaListPointer?)
    {
        guard let format, let arguments, let logger = logger.withLock({ $0 }) else { return }
        let text = withUnsafeTemporaryAllocation(of: CChar.self, capacity: 512) { buffer -> String in
            guard let base = buffer.baseAddress, vsnprintf(base, buffer.count, format, arguments) > 0 else { return "" }
            return String(cString: base)
        }
        let line = String(text.prefix { $0 != "\n" })
        if level.rawValue <= FUSE_LOG_ERR.rawValue {
            logger.warning("libfuse complains", ["text": line])
        } else {
            logger.debug("libfuse says", ["text": line])
        }
    }
}
