import DaleksCore
public import DaleksSync
import DaleksSystem

/// fallocate, SEEK_HOLE and SEEK_DATA, copy_file_range.
extension FileSystem {
    /// What fallocate does to a range.
    public enum Allocation: Sendable {
        /// Space is set aside.
        case reserve(keepsSize: Bool)
        /// Zeros, and the space is given back.
        case punch
        /// Zeros.
        case zero(keepsSize: Bool)
    }

    public func allocate(
        _ handle: UInt64,
        _ range: Range<Int64>,
        _ allocation: Allocation,
        clearsSetID: Bool
    ) throws(Obstacle) {
        let content = try openFiles.find(handle).content
        try require(.change, on: content.inode)
        if clearsSetID { try dropSetID(of: content.inode) }
        switch allocation {
        case .reserve(let keepsSize): try content.allocate(range, keepsSize: keepsSize)
        case .punch: try content.punch(range)
        case .zero(let keepsSize): try content.zero(range, keepsSize: keepsSize)
        }
    }

    /// Where data begins at or after the offset; ENXIO where none follows.
    public func nextData(_ handle: UInt64, from offset: Int64) throws(Obstacle) -> Int64 {
        guard let data = try openFiles.find(handle).content.nextData(from: offset) else {
            throw .errno(.noSuchDevice)
        }
        return data
    }

    public func nextHole(_ handle: UInt64, from offset: Int64) throws(Obstacle) -> Int64 {
        try openFiles.find(handle).content.nextHole(from: offset)
    }

    /// Copies inside this machine, at most so much at once that nobody waits long, and says how much.
    public func copy(
        from source: (handle: UInt64, offset: Int64),
        to target: (handle: UInt64, offset: Int64),
        count: Int,
        clearsSetID: Bool
    ) throws(Obstacle) -> Int {
        let (from, to) = (try openFiles.find(source.handle), try openFiles.find(target.handle))
        try require(.see, on: from.content.inode)
        try require(.change, on: to.content.inode)
        guard source.offset >= 0 else { throw .errno(.invalid) }
        if clearsSetID { try dropSetID(of: to.content.inode) }
        let end = source.offset + Int64(min(count, Self.copyBytesMax))
        return Int(try from.content.copy(source.offset..<end, to: to.content, at: target.offset))
    }

    /// Spans on both sides must be here and known; more than this is asked for again by whoever copies.
    private static let copyBytesMax = 16 << 20
}
