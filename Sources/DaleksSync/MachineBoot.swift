import DaleksSystem

/// Which start of this machine it is.
public enum MachineBoot {
    /// As the kernel names it, or the empty text where it does not: then every start counts as the same.
    public static let current: String = {
        let bytes = (try? Files.readAll("/proc/sys/kernel/random/boot_id", max: 128)) ?? []
        return String(decoding: bytes.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
    }()
}
