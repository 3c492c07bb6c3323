import DaleksCore
import Glibc

/// Sizes and times as people read them.
enum Shown {
    /// `0 B`, `999 B`, `1.5 KiB`, `120 MiB`.
    static func bytes(_ count: Int64) -> String {
        var (value, unit) = (Double(count), 0)
        let units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"]
        while value >= 1_024, unit + 1 < units.count { (value, unit) = (value / 1_024, unit + 1) }
        if unit == 0 { return "\(count) B" }
        let tenths = Int64((value * 10).rounded())
        return value < 100 ? "\(tenths / 10).\(tenths % 10) \(units[unit])" : "\(Int64(value.rounded())) \(units[unit])"
    }

    /// `0:05`, `12:30`, `1:02:03`.
    static func duration(seconds: Int64) -> String {
        let (hours, minutes, rest) = (seconds / 3_600, seconds / 60 % 60, seconds % 60)
        return hours > 0 ? "\(hours):\(padded(minutes)):\(padded(rest))" : "\(minutes):\(padded(rest))"
    }

    /// `2026-11-29 16:40` where this machine is.
    static func time(_ time: Timestamp) -> String {
        var (seconds, local) = (time_t(time.seconds), tm())
        localtime_r(&seconds, &local)
        return "\(local.tm_year + 1_900)-\(padded(Int64(local.tm_mon + 1)))-\(padded(Int64(local.tm_mday))) "
            + "\(padded(Int64(local.tm_hour))):\(padded(Int64(local.tm_min)))"
    }

    private static func padded(_ number: Int64) -> String { number < 10 ? "0\(number)" : "\(number)" }

    /// `drwxr-xr-x`.
    static func mode(_ attributes: Attributes) -> String {
        let kind =
            switch attributes.kind {
            case .file: "-"
            case .folder: "d"
            case .symlink: "l"
            case .fifo: "p"
            case .socket: "s"
            case .characterDevice: "c"
            case .blockDevice: "b"
            }
        let letters = Array("rwxrwxrwx")
        let bits = (0..<9).map { attributes.mode >> UInt32(8 - $0) & 1 == 1 ? letters[$0] : "-" }
        return kind + String(bits)
    }
}
