public import DaleksSystem
import Glibc

/// An open file whose bytes answers are made of. It may serve many answers at once; the last one closes it.
public final class FileSource: Sendable {
    private let descriptor: FileDescriptor
    public let size: Int64

    /// Serves the first `size` bytes, which must be there for as long as answers are sent.
    public init(_ descriptor: consuming FileDescriptor, size: Int64) {
        self.descriptor = descriptor
        self.size = size
    }

    /// Serves the file as long as it is now.
    public convenience init(_ descriptor: consuming FileDescriptor) throws(Errno) {
        let size = Int64(try descriptor.status().st_size)
        self.init(descriptor, size: size)
    }

    public func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws(Errno) -> Int {
        try descriptor.read(into: buffer, at: offset)
    }

    /// A descriptor of the same file that its receiver closes.
    func duplicate() throws(Errno) -> Int32 { try descriptor.duplicate().release() }
}
