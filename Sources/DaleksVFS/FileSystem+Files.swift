public import DaleksCache
public import DaleksCore
public import DaleksSync
import DaleksSystem
import Glibc

/// Open files.
extension FileSystem {
    /// Opens and answers the handle.
    public func open(
        _ inode: Inode,
        truncates: Bool,
        appends: Bool,
        isSynchronous: Bool,
        writes: Bool = false
    ) throws(Obstacle) -> UInt64 {
        try require(writes || truncates ? .change : .see, on: inode)
        if isShared { try requireFile(inode) }
        let content = try engine.tree.openContent(inode)
        if !truncates { engine.noteOpened(inode) }
        if truncates {
            do throws(Obstacle) {
                _ = try engine.tree.truncate(inode, to: 0)
            } catch {
                try? engine.tree.closeContent(content)
                throw error
            }
        }
        return openFiles.insert(OpenFiles.OpenFile(content: content, appends: appends, isSynchronous: isSynchronous))
    }

    /// Makes a file and opens it.
    public func create(
        _ making: Making,
        _ name: Name,
        in parent: Inode,
        appends: Bool,
        isSynchronous: Bool
    ) throws(Obstacle) -> (node: LocalNode, handle: UInt64) {
        try requireMaking(.file, in: parent)
        let (node, content) = try tree.createOpen(name, in: parent, try creation(making))
        let file = OpenFiles.OpenFile(content: content, appends: appends, isSynchronous: isSynchronous)
        return (present(node), openFiles.insert(file))
    }

    /// Whether a read that comes now is one of somebody who reads a little here and there. Who goes from front to back
    /// has more of it fetched before he asks.
    public func noteRead(_ handle: UInt64, at offset: Int64, count: Int) throws(Obstacle) -> Bool {
        let file = try openFiles.find(handle)
        let size = file.content.live.size
        let (wanted, isScattered) = file.readAhead.withLock { $0.note(offset, count: count, size: size) }
        if let wanted, file.content.lacksAny(of: wanted) { engine.fetchAhead(wanted, of: file.content.inode) }
        return isScattered
    }

    /// Throws what `read` would lack, before anything is spent on reading. What it answers is for `read`.
    public func requireReadable(
        _ handle: UInt64,
        at offset: Int64,
        count: Int,
        isScattered: Bool
    ) throws(Obstacle) -> Glimpse? {
        let file = try openFiles.find(handle)
        try requireStill(.see, on: file)
        return try file.content.requireReadable(at: offset, count: count, isScattered: isScattered)
    }

    public func read(
        _ handle: UInt64,
        into buffer: UnsafeMutableRawBufferPointer,
        at offset: Int64,
        with glimpse: Glimpse?
    ) throws(Obstacle) -> Int {
        try openFiles.find(handle).content.read(into: buffer, at: offset, with: glimpse)
    }

    /// `clearsSetID`: the writer may not keep setuid and setgid. `isFromPageCache`: pages that were written through a
    /// map; they belong where they are, also where the handle that brings them appends.
    public func write(
        _ handle: UInt64,
        _ bytes: UnsafeRawBufferPointer,
        at offset: Int64,
        clearsSetID: Bool,
        isFromPageCache: Bool = false
    ) throws(Obstacle) -> Int {
        let file = try openFiles.find(handle)
        try requireStill(.change, on: file)
        if clearsSetID { try dropSetID(of: file.content.inode) }
        let count = try file.content.write(bytes, at: file.appends && !isFromPageCache ? nil : offset)
        if file.isSynchronous { try engine.tree.synchronize(file.content) }
        return count
    }

    /// The right with which a file was opened may be taken back while it is open.
    private func requireStill(_ act: Act, on file: OpenFiles.OpenFile) throws(Obstacle) {
        guard isShared else { return }
        do throws(Obstacle) { try require(act, on: file.content.inode) } catch {
            throw error == .errno(.noEntry) ? Obstacle.errno(.accessDenied) : error
        }
    }

    /// What somebody else has as a device or a pipe is shown as a file without anything in it.
    private func requireFile(_ inode: Inode) throws(Obstacle) {
        guard try tree.stored(inode).attributes.kind == .file else { throw .errno(.accessDenied) }
    }

    /// Whether each write to it is to be as safe as a file that is synchronized.
    public func isSynchronous(_ handle: UInt64) -> Bool { (try? openFiles.find(handle).isSynchronous) ?? false }

    /// A descriptor was closed: what it wrote is in the journal when this returns.
    public func flush(_ handle: UInt64) throws(Obstacle) {
        try engine.tree.saveContent(try openFiles.find(handle).content)
    }

    /// The bytes survive a power cut of this machine when this returns.
    public func synchronize(_ handle: UInt64) throws(Obstacle) {
        try engine.tree.synchronize(try openFiles.find(handle).content)
    }

    public func close(_ handle: UInt64) throws(Obstacle) {
        guard let file = openFiles.remove(handle) else { throw .errno(.badDescriptor) }
        try engine.tree.closeContent(file.content)
    }
}
