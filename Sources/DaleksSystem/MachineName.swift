import Glibc

/// What this machine is called. Names of conflict copies have it, and whoever settles them compares it.
public enum MachineName {
    public static let current: String = {
        var buffer = [CChar](repeating: 0, count: 256)
        guard gethostname(&buffer, buffer.count - 1) == 0 else { return "this machine" }
        return buffer.withUnsafeBufferPointer { $0.baseAddress.map { String(cString: $0) } } ?? "this machine"
    }()
}
