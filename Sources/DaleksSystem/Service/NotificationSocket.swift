import Glibc

/// The datagram socket that a service manager listens on, named by `NOTIFY_SOCKET`.
public struct NotificationSocket: Sendable {
    /// A path, or a name in Linux's abstract space where it begins with `@`. Nil: nobody listens.
    private let name: String?

    public init(environment: [String: String]) {
        let name = environment["NOTIFY_SOCKET"] ?? ""
        // What is neither a path nor an abstract name (vsock of a virtual machine) is nothing we can reach.
        self.name = name.hasPrefix("/") || name.hasPrefix("@") ? name : nil
    }

    public var isListening: Bool { name != nil }

    /// One datagram. False where it did not arrive: a service works on without its manager.
    @discardableResult
    public func send(_ state: String) -> Bool {
        guard let name, var address = Self.address(of: name) else { return false }
        let raw = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard raw >= 0 else { return false }
        let connection = FileDescriptor(owning: raw)
        let bytes = Array(state.utf8)
        let sent = withUnsafePointer(to: &address.value) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { general in
                sendto(connection.raw, bytes, bytes.count, Int32(MSG_NOSIGNAL), general, address.length)
            }
        }
        return sent == bytes.count
    }

    @discardableResult
    public func sendStatus(_ text: String) -> Bool {
        // A newline would begin another variable.
        let line = text.unicodeScalars.map { $0 == "\n" || $0 == "\r" ? " " : String($0) }.joined()
        return send("STATUS=\(line)")
    }

    /// The manager compares the time with its own clock, to know a reload from the one before.
    @discardableResult
    public func sendReloading() -> Bool {
        var now = timespec()
        clock_gettime(CLOCK_MONOTONIC, &now)
        return send("RELOADING=1\nMONOTONIC_USEC=\(now.tv_sec * 1_000_000 + now.tv_nsec / 1_000)")
    }

    /// `WATCHDOG_USEC`, where `WATCHDOG_PID` is absent or names this process.
    public static func watchdogInterval(environment: [String: String], processID: Int32) -> Duration? {
        guard let text = environment["WATCHDOG_USEC"], let microseconds = Int64(text), microseconds > 0 else {
            return nil
        }
        if let owner = environment["WATCHDOG_PID"], Int32(owner) != processID { return nil }
        return .microseconds(microseconds)
    }

    private static func address(of name: String) -> (value: sockaddr_un, length: socklen_t)? {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        var bytes = Array(name.utf8)
        let isAbstract = name.hasPrefix("@")
        if isAbstract { bytes[0] = 0 }
        let room = MemoryLayout.size(ofValue: address.sun_path)
        guard bytes.count < room, !bytes.dropFirst().contains(0) else { return nil }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        // An abstract name ends where the length says, a path at its NUL.
        let length = MemoryLayout<sockaddr_un>.size - room + bytes.count + (isAbstract ? 0 : 1)
        return (address, socklen_t(length))
    }
}
