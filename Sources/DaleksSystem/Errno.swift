import Glibc

/// What the kernel and the C library say, and what the kernel hears from us.
public struct Errno: Error, Hashable, Sendable, RawRepresentable {
    public let rawValue: Int32

    public init(rawValue: Int32) { self.rawValue = rawValue }

    /// `errno` as the last C call on this thread left it. Read it on the line after that call.
    public static var last: Errno { Errno(rawValue: errno) }

    public static let notPermitted = Errno(rawValue: EPERM)
    public static let noEntry = Errno(rawValue: ENOENT)
    public static let interrupted = Errno(rawValue: EINTR)
    public static let io = Errno(rawValue: EIO)
    public static let noSuchDevice = Errno(rawValue: ENXIO)
    public static let argumentListTooLong = Errno(rawValue: E2BIG)
    public static let badDescriptor = Errno(rawValue: EBADF)
    public static let tryAgain = Errno(rawValue: EAGAIN)
    public static let noMemory = Errno(rawValue: ENOMEM)
    public static let accessDenied = Errno(rawValue: EACCES)
    public static let busy = Errno(rawValue: EBUSY)
    public static let exists = Errno(rawValue: EEXIST)
    public static let crossDevice = Errno(rawValue: EXDEV)
    public static let noDevice = Errno(rawValue: ENODEV)
    public static let notDirectory = Errno(rawValue: ENOTDIR)
    public static let isDirectory = Errno(rawValue: EISDIR)
    public static let invalid = Errno(rawValue: EINVAL)
    public static let tooManyOpenFiles = Errno(rawValue: EMFILE)
    public static let fileTooLarge = Errno(rawValue: EFBIG)
    public static let noSpace = Errno(rawValue: ENOSPC)
    public static let illegalSeek = Errno(rawValue: ESPIPE)
    public static let readOnly = Errno(rawValue: EROFS)
    public static let tooManyLinks = Errno(rawValue: EMLINK)
    public static let brokenPipe = Errno(rawValue: EPIPE)
    public static let outOfRange = Errno(rawValue: ERANGE)
    public static let deadlock = Errno(rawValue: EDEADLK)
    public static let nameTooLong = Errno(rawValue: ENAMETOOLONG)
    public static let noLocks = Errno(rawValue: ENOLCK)
    public static let notImplemented = Errno(rawValue: ENOSYS)
    public static let notEmpty = Errno(rawValue: ENOTEMPTY)
    public static let tooManySymlinks = Errno(rawValue: ELOOP)
    public static let noData = Errno(rawValue: ENODATA)
    public static let overflow = Errno(rawValue: EOVERFLOW)
    public static let notSupported = Errno(rawValue: EOPNOTSUPP)
    public static let addressInUse = Errno(rawValue: EADDRINUSE)
    public static let connectionRefused = Errno(rawValue: ECONNREFUSED)
    public static let notConnected = Errno(rawValue: ENOTCONN)
    public static let timedOut = Errno(rawValue: ETIMEDOUT)
    public static let stale = Errno(rawValue: ESTALE)
    public static let quota = Errno(rawValue: EDQUOT)
    public static let canceled = Errno(rawValue: ECANCELED)
}

extension Errno: CustomStringConvertible {
    /// The C library's sentence for it, such as `No such file or directory`.
    public var description: String {
        // strerrordesc_np would be simpler but is not in every C library; strerror_r writes into our own buffer.
        var buffer = [CChar](repeating: 0, count: 128)
        let failed = strerror_r(rawValue, &buffer, buffer.count) != 0
        if failed { return "error \(rawValue)" }
        return buffer.withUnsafeBufferPointer { text in
            text.baseAddress.map { String(cString: $0) } ?? "error \(rawValue)"
        }
    }
}

/// Runs a C call that returns -1 on failure; repeats it when a signal interrupted it.
@discardableResult
@inline(__always)
public func retryingInterrupts<Result: FixedWidthInteger & SignedInteger>(
    _ call: () -> Result
) throws(Errno) -> Result {
    while true {
        let result = call()
        if result != -1 { return result }
        let error = Errno.last
        if error != .interrupted { throw error }
    }
}

/// Runs a C call that returns -1 on failure, once: for close and whatever must not be repeated.
@discardableResult
@inline(__always)
public func checking<Result: FixedWidthInteger & SignedInteger>(_ call: () -> Result) throws(Errno) -> Result {
    let result = call()
    if result == -1 { throw Errno.last }
    return result
}
