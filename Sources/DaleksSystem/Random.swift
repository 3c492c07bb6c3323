public import DaleksCore
import Glibc

/// Bytes from the kernel's generator; good for keys.
public enum Random {
    public static func bytes(count: Int) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            let raw = UnsafeMutableRawBufferPointer(buffer)
            var done = 0
            while done < count {
                let rest = UnsafeMutableRawBufferPointer(rebasing: raw[done..<count])
                let result = Shim.getrandom(rest.baseAddress, rest.count)
                // getrandom without flags fails only when interrupted once the pool is ready.
                precondition(result > 0 || errno == EINTR, "the kernel's random generator failed")
                done += max(0, result)
            }
            initialized = count
        }
    }

    public static func word() -> UInt64 {
        var word: UInt64 = 0
        let result = withUnsafeMutableBytes(of: &word) { Shim.getrandom($0.baseAddress, $0.count) }
        // Requests of up to 256 bytes are never cut short by a signal.
        precondition(result == 8, "the kernel's random generator failed")
        return word
    }
}

extension Identifier {
    /// A fresh one.
    public static func random(at time: Timestamp) -> Identifier {
        Identifier(at: time, random: (Random.word(), Random.word()))
    }
}
