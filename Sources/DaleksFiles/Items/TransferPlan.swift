import DaleksAPI
import DaleksCore
import DaleksHTTP
import DaleksSystem

/// What an offer comprises, as it was at one moment: a file or a folder and all below it, each folder before what is
/// in it. Two plans are equal where nothing changed in between.
struct TransferPlan: Equatable, Sendable {
    struct Item: Equatable, Sendable {
        let node: StoredNode
        let name: Name
        /// The item of the folder that it lies in; nil for the top.
        let folder: Int?
    }

    private(set) var items: [Item] = []

    init(of top: StoredNode, named name: Name, _ db: borrowing StoreConnection) throws {
        items = [Item(node: top, name: name, folder: nil)]
        var next = 0
        while next < items.count {
            let folder = items[next].node
            if folder.isFolder, folder.entryCount > 0 { try add(folder, next, db) }
            next += 1
        }
    }

    private mutating func add(_ folder: StoredNode, _ index: Int, _ db: borrowing StoreConnection) throws {
        var (last, isCut): (Name?, Bool) = (nil, true)
        while isCut {
            let most = Limits.Files.copiedNodeCountMax
            let page = try EntryTable.page(of: folder.id, after: last, limit: most + 1 - items.count, db)
            for row in page.rows { items.append(Item(node: row.node, name: row.name, folder: index)) }
            guard items.count <= most else {
                throw APIError.tooLarge("no more than \(most) files and folders change their owner at once")
            }
            (last, isCut) = (page.rows.last?.name, page.isCut)
        }
    }

    /// The files that have bytes, each once.
    var files: [StoredNode] {
        var seen: Set<NodeID> = []
        return items.map(\.node).filter { node in
            node.attributes.kind == .file && node.content != 0 && seen.insert(node.id).inserted
        }
    }
}
