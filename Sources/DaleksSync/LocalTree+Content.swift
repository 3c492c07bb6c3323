import DaleksAPI
public import DaleksCache
import DaleksCore
import DaleksSQLite
import DaleksSystem

/// Open files.
extension LocalTree {
    /// The bytes of a file, until `closeContent`.
    public func openContent(_ inode: Inode) throws(Obstacle) -> FileContent {
        do throws(Errno) { return try contents.use(inode) } catch { throw .errno(error) }
    }

    /// Ends a use. What was written is in the journal when this returns.
    public func closeContent(_ content: FileContent) throws(Obstacle) {
        defer { contents.release(content.inode) }
        try saveContent(content)
    }

    /// Puts what was written into the journal: size and time into the tree, and a commit that the uploader will fill.
    /// Called at close, at fsync and after a pause in writing.
    public func saveContent(_ content: FileContent) throws(Obstacle) {
        guard content.isUnsaved else { return }
        do throws(Errno) { try content.unmarkStrays() } catch { throw .errno(error) }
        // Inside, so that nobody cuts it between what is told here and what is so.
        let pending = try content.enter { state throws(Obstacle) -> Bool? in
            guard state.isUnsaved || state.isUncommitted else { return nil }
            defer { (state.isUnsaved, state.isUncommitted) = (false, false) }
            return state.isUncommitted
        }
        defer { content.leave() }
        guard let isUncommitted = pending else { return }
        let isPlaceDue = isUncommitted && content.takePlaceDue()
        let isCutDue = content.state.withLock { $0.isCutDue }
        do throws(Obstacle) {
            let place = try contents.barrier.telling(content) { generation throws(Obstacle) -> ContentPlace? in
                let vouched = contents.barrier.vouched
                return try database.changing { db -> ContentPlace? in
                    guard var node = try NodeTable.find(content.inode, in: db) else { return nil }
                    let before = node.attributes.size
                    // As they are when it is this transaction's turn: what set a time meanwhile, and has written it
                    // already, must not be undone.
                    let (size, modified, written) = content.state.withLock { ($0.size, $0.modified, $0.written) }
                    node.attributes.size = size
                    node.attributes.changed = max(node.attributes.changed, written)
                    node.attributes.modified = modified
                    try NodeTable.update(node, in: db)
                    if isCutDue { try ContentGenerationTable.noteCutDone(of: node.inode, in: db) }
                    if before != size {
                        try ContentGenerationTable.noteSize(
                            of: node.inode,
                            from: before,
                            to: size,
                            generation: generation,
                            vouched: vouched,
                            in: db
                        )
                    }
                    if isUncommitted, node.attributes.links > 0 { try journalCommit(of: node.inode, db) }
                    let place = isPlaceDue ? try ContentPlace.find(node, in: db) : nil
                    stage(node)
                    return place
                }
            }
            if let place { content.write(place) }
        } catch {
            content.state.withLock { state in
                if isPlaceDue { state.isPlaced = false }
                state.isUnsaved = true
                state.isUncommitted = state.isUncommitted || isUncommitted
            }
            throw error
        }
        contents.noteSaved(content.inode)
        if isCutDue {
            content.state.withLock { $0.isCutDue = false }
            // An fsync of what is written from here on needs this.
            noteChange(of: content.inode)
        }
        grew()
    }

    /// Cuts or extends a file, open or not. Where the tables cannot take it, nothing happens.
    public func truncate(_ inode: Inode, to size: Int64) throws(Obstacle) -> LocalNode {
        try contents.with(inode) { content throws(Obstacle) in
            if content.live.size != size || size == 0 {
                try content.truncate(to: size) { resizing throws(Obstacle) in try tell(resizing, of: content) }
                // What is left to tell does not make the file another one, and is told later where it cannot be now.
                try? saveContent(content)
            } else {
                try saveContent(content)
            }
        }
        noteChange(of: inode)
        return try node(inode)
    }

    /// Before the backing file is cut or extended, with nobody inside: where the daemon dies between the two, the next
    /// start finishes it.
    func tell(_ resizing: FileContent.Resizing, of content: FileContent) throws(Obstacle) {
        let isPlaceDue = content.takePlaceDue()
        do throws(Obstacle) {
            let place = try contents.barrier.telling(content) { generation throws(Obstacle) -> ContentPlace? in
                let vouched = contents.barrier.vouched
                let place = try database.changing { db -> ContentPlace? in
                    guard var node = try NodeTable.find(content.inode, in: db) else { throw Obstacle.errno(.stale) }
                    let (before, isCut) = (node.attributes.size, resizing.size < resizing.old)
                    if isCut { try Self.tell(cut: resizing.size, of: &node, db) }
                    node.attributes.size = resizing.size
                    node.attributes.changed = max(node.attributes.changed, resizing.modified)
                    node.attributes.modified = resizing.modified
                    try NodeTable.update(node, in: db)
                    try ContentTable.mark(spans: resizing.fresh, of: node.inode, generation: generation, in: db)
                    try ContentGenerationTable.noteSize(
                        of: node.inode,
                        from: before,
                        to: resizing.size,
                        generation: generation,
                        vouched: vouched,
                        in: db
                    )
                    if isCut { try ContentGenerationTable.noteCutDue(of: node.inode, to: resizing.size, in: db) }
                    if node.attributes.links > 0 { try journalCommit(of: node.inode, db) }
                    let place = isPlaceDue ? try ContentPlace.find(node, in: db) : nil
                    stage(node)
                    return place
                }
                content.state.withLock { $0.generation = generation }
                return place
            }
            if let place { content.write(place) }
        } catch {
            if isPlaceDue { content.state.withLock { $0.isPlaced = false } }
            throw error
        }
        grew()
    }

    /// The file was cut: the tables forget spans behind that, and how much further the region's content of it reaches
    /// is kept for the day on which it grows again.
    static func tell(cut size: Int64, of node: inout LocalNode, _ db: borrowing Connection) throws {
        try ContentTable.drop(from: FileContent.spanCount(of: size), of: node.inode, in: db)
        guard size < node.contentSize else { return }
        try ContentGenerationTable.noteCut(of: node.inode, content: node.content, from: node.contentSize, in: db)
        node.contentSize = size
    }

    /// What is done in the file's folder after this is not seen at the region before what the file is now.
    private func raiseBarrier(_ inode: Inode) throws(Obstacle) {
        let isNews = try database.looking { db in try JournalTable.needsBarrier(inode, in: db) }
        if isNews { try database.changing { db in try JournalTable.setBarrier(inode, in: db) } }
    }

    /// Power-cut safe: the bytes, and what of the index they need.
    public func synchronize(_ content: FileContent) throws(Obstacle) {
        try saveContent(content)
        try raiseBarrier(content.inode)
        do throws(Errno) {
            try content.synchronize()
            let generation = content.state.withLock { $0.generation }
            let isKnown = contents.barrier.vouched >= generation
            if isKnown, database.isDurable(positions.needed(by: content.inode)) { return }
            try flush()
        } catch {
            throw .errno(error)
        }
    }

    /// Everything that was done so far survives a power cut.
    public func synchronizeJournal() throws(Obstacle) {
        do throws(Errno) { try flush() } catch { throw .errno(error) }
    }

    private func flush() throws(Errno) {
        let position = database.position
        try contents.barrier.flush()
        positions.forget(upTo: position)
    }

    /// A change of a node or of its names was committed just now.
    func noteChange(of inode: Inode, isFolder: Bool = false) {
        positions.note(inode, isFolder: isFolder, database.position)
    }

    /// Sees to it that a commit will carry the file as it is now, or later.
    func journalCommit(of inode: Inode, _ db: borrowing Connection) throws {
        if let place = try JournalTable.openCommit(of: inode, in: db),
            !takenCommits.withLock({ $0.contains(place) })
        {
            return
        }
        try JournalTable.append(.commit, JournalTable.Subjects(node: inode), body: nil, in: db)
    }
}
