import DaleksCore
import DaleksFUSE
import DaleksSystem
import Glibc

/// One folder with one file, of which the kernel may remember the name for ever and the attributes not at all: every
/// fstat is a request. `bench/fuse-c/server.c` is the same in C.
final class BenchFileSystem: FUSEFileSystem {
    private static let root: UInt64 = 1
    private static let file: UInt64 = 2
    private static let fileBytes: Int64 = 1 << 30
    private static let longTime = Duration.seconds(3_600)

    private static func attributes(_ inode: UInt64) -> FUSEAttributes? {
        switch inode {
        case root: FUSEAttributes(inode: inode, mode: S_IFDIR | 0o755, linkCount: 2, userID: getuid())
        case file: FUSEAttributes(inode: inode, mode: S_IFREG | 0o644, userID: getuid(), size: fileBytes)
        default: nil
        }
    }

    /// Called for a name that nobody is ever told of, with its parent locked in the kernel.
    private let onStuck: (@Sendable () -> Void)?
    private let stuck = Lock<[ParkedReply<EntryReply>]>([])

    init(onStuck: (@Sendable () -> Void)? = nil) { self.onStuck = onStuck }

    func lookup(_ request: FUSERequest, parent: UInt64, name: FUSEName, reply: consuming EntryReply) {
        if let onStuck, name.elementsEqual("stuck".utf8) {
            let parked = reply.park()
            stuck.withLock { $0.append(parked) }
            return onStuck()
        }
        guard parent == Self.root, name.elementsEqual("file".utf8), let attributes = Self.attributes(Self.file) else {
            reply.error(.noEntry)
            return
        }
        reply.entry(FUSEEntry(attributes, entryValidFor: Self.longTime, attributesValidFor: .zero))
    }

    func getattr(_ request: FUSERequest, inode: UInt64, handle: UInt64?, reply: consuming AttributesReply) {
        guard let attributes = Self.attributes(inode) else {
            reply.error(.stale)
            return
        }
        reply.attributes(attributes, validFor: .zero)
    }

    func open(_ request: FUSERequest, inode: UInt64, flags: FUSEOpenFlags, reply: consuming OpenReply) {
        reply.opened(handle: 1, options: .direct)
    }

    func read(
        _ request: FUSERequest,
        inode: UInt64,
        handle: UInt64,
        offset: Int64,
        count: Int,
        flags: FUSEOpenFlags,
        reply: consuming ReadReply
    ) {
        reply.fill { buffer in
            _ = buffer.initializeMemory(as: UInt8.self, repeating: 0)
            return buffer.count
        }
    }

    func write(
        _ request: FUSERequest,
        _ write: FUSEWrite,
        bytes: UnsafeRawBufferPointer,
        reply: consuming WriteReply
    ) {
        reply.written(bytes.count)
    }
}
