import DaleksCache
import DaleksCore
import DaleksSystem
import Glibc

/// Bytes that nobody can vouch for after a power cut. They are never uploaded; they lie in a folder beside the cache,
/// for a person to look at, and the log says so.
struct SetAside: Sendable {
    let folder: String
    let logger: Logger

    func keep(
        _ file: borrowing FileDescriptor,
        size: Int64,
        of inode: Inode,
        _ node: NodeID,
        because reason: StaticString =
            "bytes written shortly before the power was cut are uncertain; they were put aside and not uploaded",
        named known: Name? = nil
    ) throws(Errno) {
        try Files.createPrivateDirectory(folder)
        let place =
            (try? Files.attribute(BackingStore.placeAttribute, of: "/proc/self/fd/\(file.raw)", bytesMax: 4_096))
            .flatMap { ContentPlace(bytes: $0) }
        let name = (known ?? place?.path.last).map { "\($0)" } ?? "unnamed"
        let path = "\(folder)/\(node)-\(name.prefix(180))"
        let copy = try FileDescriptor.open(path, O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW, mode: 0o600)
        try copy.truncate(to: size)
        var position: Int64 = 0
        while let data = try file.nextData(from: position) {
            let end = try file.nextHole(from: data) ?? size
            _ = try file.copy(data..<end, to: copy, at: data)
            position = end
        }
        try copy.synchronize()
        logger.warning(reason, ["inode": inode, "file": path])
    }
}
