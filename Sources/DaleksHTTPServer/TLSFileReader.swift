import DaleksSystem
import Glibc

/// Reads small files; apart from `TLSCertificates` because that file's C module and Glibc do not mix.
enum TLSFileReader {
    static func contents(of path: String, bytesMax: Int) throws(Errno) -> [UInt8] {
        let file = try FileDescriptor.open(path, O_RDONLY)
        let size = Int(try file.status().st_size)
        guard size <= bytesMax else { throw Errno.fileTooLarge }
        var failure: Errno?
        let bytes = [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
            do throws(Errno) {
                count = try file.read(into: UnsafeMutableRawBufferPointer(buffer), at: 0)
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
        return bytes
    }
}
