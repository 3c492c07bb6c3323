import DaleksSystem

extension FileDescriptor {
    /// Exactly `count` bytes from an offset; what lies behind the end of the file is zeros.
    borrowing func bytes(count: Int, at offset: Int64) throws(Errno) -> [UInt8] {
        var failure: Errno?
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            do throws(Errno) {
                let read = try read(into: UnsafeMutableRawBufferPointer(buffer), at: offset)
                for position in read..<count { buffer[position] = 0 }
                initialized = count
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
        return bytes
    }

    borrowing func writeAll(_ bytes: [UInt8], at offset: Int64) throws(Errno) {
        var failure: Errno?
        bytes.withUnsafeBytes { buffer in
            do throws(Errno) { try write(buffer, at: offset) } catch { failure = error }
        }
        if let failure { throw failure }
    }
}
