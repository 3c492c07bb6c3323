import CFuse
import Glibc

/// Entries of a folder in the kernel's own form, in a buffer of the kernel's size.
///
/// libfuse's own functions want names with a terminator and times as floating-point numbers; this writes the same
/// bytes from what we have.
public struct DirectoryEntries: ~Copyable {
    private let buffer: UnsafeMutableRawBufferPointer
    let isPlus: Bool
    private(set) var byteCount = 0
    /// How many were added.
    public private(set) var count = 0

    init(_ buffer: UnsafeMutableRawBufferPointer, isPlus: Bool) {
        self.buffer = buffer
        self.isPlus = isPlus
    }

    /// Adds an entry without attributes: no reference is taken, and the kernel looks the name up when it needs to.
    ///
    /// `mode` gives the type; `nextOffset` (not 0) is where a listing goes on after this entry, also when the folder
    /// has changed meanwhile. False: it did not fit, and belongs into the next reply.
    public mutating func add(name: FUSEName, inode: UInt64, mode: UInt32, nextOffset: Int64) -> Bool {
        add(name, inode: inode, mode: mode, nextOffset: nextOffset) { fuse_entry_out() }
    }

    /// Adds an entry with its attributes, and a reference of the kernel to its inode if this returns true and the reply
    /// is a readdirplus (`.` and `..` excepted); in a readdir the attributes are left out.
    public mutating func add(name: FUSEName, entry: FUSEEntry, nextOffset: Int64) -> Bool {
        add(name, inode: entry.inode, mode: entry.attributes.mode, nextOffset: nextOffset) { entry.wire }
    }

    public mutating func add(name: [UInt8], inode: UInt64, mode: UInt32, nextOffset: Int64) -> Bool {
        name.withUnsafeBufferPointer { add(name: $0, inode: inode, mode: mode, nextOffset: nextOffset) }
    }

    public mutating func add(name: [UInt8], entry: FUSEEntry, nextOffset: Int64) -> Bool {
        name.withUnsafeBufferPointer { add(name: $0, entry: entry, nextOffset: nextOffset) }
    }

    @inline(__always)
    private mutating func add(
        _ name: FUSEName,
        inode: UInt64,
        mode: UInt32,
        nextOffset: Int64,
        _ attributes: () -> fuse_entry_out
    ) -> Bool {
        // struct fuse_dirent: inode, offset, name's length, type, name; each record is padded to 8 bytes.
        let attributeBytes = isPlus ? MemoryLayout<fuse_entry_out>.size : 0
        let bytes = attributeBytes + 24 + name.count
        let padded = (bytes + 7) & ~7
        guard byteCount + padded <= buffer.count else { return false }
        if isPlus { buffer.storeBytes(of: attributes(), toByteOffset: byteCount, as: fuse_entry_out.self) }
        let start = byteCount + attributeBytes
        buffer.storeBytes(of: inode, toByteOffset: start, as: UInt64.self)
        buffer.storeBytes(of: UInt64(bitPattern: nextOffset), toByteOffset: start + 8, as: UInt64.self)
        buffer.storeBytes(of: UInt32(name.count), toByteOffset: start + 16, as: UInt32.self)
        buffer.storeBytes(of: (mode & S_IFMT) >> 12, toByteOffset: start + 20, as: UInt32.self)
        UnsafeMutableRawBufferPointer(rebasing: buffer[(start + 24)...]).copyMemory(from: UnsafeRawBufferPointer(name))
        for index in bytes..<padded { buffer[byteCount + index] = 0 }
        byteCount += padded
        count += 1
        return true
    }
}
