import DaleksAPI
import DaleksCore
import DaleksHTTP
import DaleksSystem

/// A folder as a zip archive, made while it is sent: nothing of it is in memory or on disk but the piece at hand and a
/// list of names for its end. Files are stored as they are.
///
/// ## Concurrency
/// The server asks for one piece at a time; `state` is taken out of its lock for the work and put back.
final class ZipStream: Sendable {
    private let walk: Lock<ZipWalk?>

    init(_ items: Items, folder: NodeID, reader: UserID) {
        walk = Lock(ZipWalk(items, folder: folder, reader: reader))
    }

    /// The next piece; nil at the end.
    func next() throws(APIError) -> [UInt8]? {
        let taken = walk.withLock { walk -> ZipWalk? in
            defer { walk = nil }
            return walk
        }
        guard var work = taken else { return nil }
        let piece = try work.next()
        let rest = work
        walk.withLock { $0 = rest }
        return piece
    }
}

private struct ZipWalk: Sendable {
    private struct Folder {
        let id: NodeID
        let path: String
        var after: Name?
        var isDone = false
    }

    private struct OpenFile {
        let content: ItemContent
        var entry: ZipEntry
        var offset: Int64 = 0
        var checksum = CRC32()
    }

    private let items: Items
    private let reader: UserID
    private var folders: [Folder]
    private var waiting: ArraySlice<EntryRecord> = []
    private var file: OpenFile?
    private var entries: [ZipEntry] = []
    private var position: UInt64 = 0
    private var isFinished = false

    init(_ items: Items, folder: NodeID, reader: UserID) {
        self.items = items
        self.reader = reader
        folders = [Folder(id: folder, path: "")]
    }

    mutating func next() throws(APIError) -> [UInt8]? {
        while !isFinished {
            let piece: [UInt8]
            if file != nil {
                piece = try readOn()
            } else if let entry = waiting.popFirst() {
                piece = try begin(entry)
            } else if try !turnPage() {
                isFinished = true
                piece = ZipEntry.end(of: entries, at: position)
            } else {
                continue
            }
            position += UInt64(piece.count)
            if !piece.isEmpty { return piece }
        }
        return nil
    }

    /// False where there is nothing more.
    private mutating func turnPage() throws(APIError) -> Bool {
        while var folder = folders.popLast() {
            if folder.isDone { continue }
            let page: ChildrenPage
            do throws(APIError) {
                page = try items.store.children(of: folder.id, after: folder.after, limit: 1_000, for: reader)
            } catch {
                // It went while the archive was made.
                guard error.code == .notFound else { throw error }
                continue
            }
            waiting = page.entries[...]
            path = folder.path
            folder.after = page.next
            folder.isDone = page.next == nil
            folders.append(folder)
            return true
        }
        return false
    }

    /// Of the folder whose entries wait.
    private var path = ""

    private mutating func begin(_ record: EntryRecord) throws(APIError) -> [UInt8] {
        guard entries.count < Limits.Files.zippedNodeCountMax else {
            throw .tooLarge("the folder has too many files for one archive")
        }
        let attributes = record.node.attributes
        let name = path + record.name.description
        var entry = ZipEntry(name: name, attributes: attributes, position: position)
        switch attributes.kind {
        case .folder:
            entry.name += "/"
            entries.append(entry)
            // Below what is left of the folder at hand, so that it comes first.
            folders.insert(Folder(id: record.node.id, path: entry.name), at: 0)
            return entry.header
        case .symlink:
            let target = record.node.target ?? []
            entry.size = UInt64(target.count)
            entry.checksum = CRC32.of(target)
            entries.append(entry)
            return entry.header + target + entry.descriptor
        case .file:
            do throws(APIError) {
                let content = try ItemContent(
                    items.content,
                    node: record.node.id,
                    content: record.node.content,
                    reader: reader
                )
                entry.size = UInt64(content.size)
                file = OpenFile(content: content, entry: entry)
                return entry.header
            } catch {
                guard error.code == .notFound || error.code == .gone else { throw error }
                return []
            }
        default: return []
        }
    }

    private mutating func readOn() throws(APIError) -> [UInt8] {
        guard var open = file else { return [] }
        var piece = try open.content.read(open.offset, Limits.Files.zipPieceBytes)
        open.checksum.update(piece)
        open.offset += Int64(piece.count)
        if open.offset >= open.content.size {
            open.entry.checksum = open.checksum.value
            entries.append(open.entry)
            piece += open.entry.descriptor
            file = nil
        } else {
            file = open
        }
        return piece
    }
}
