import DaleksCache

/// Decides which rows of the journal may go to the region now. No input or output: feed it rows in their order.
///
/// A row whose content is not uploaded yet stays, and whatever concerns the same node stays behind it; what does not
/// may overtake it, as it might on a disk that lost its power. Folders in which things happen do not bind those things
/// together, but nothing overtakes the making of the folder it happens in. Where a program was told that the content
/// is safe (fsync), nothing that was done later in its folder overtakes it either.
struct JournalPlan {
    /// Rows that are not to be sent now, whatever comes.
    let setAside: Set<Int64>
    private var held: Set<Inode> = []
    /// Folders of files that were made safe here and are not at the region yet.
    private var heldFolders: Set<Inode> = []
    /// Nodes of which a commit goes out now. The next one builds on the answer, so it waits for that.
    private var committing: Set<Inode> = []

    init(setAside: Set<Int64> = []) { self.setAside = setAside }

    enum Verdict: Equatable {
        case send
        /// Content has to be read first; where it must be uploaded too, `hold` the row.
        case prepare
        case wait
    }

    /// `folders` says where a node has names; it is asked only where a barrier makes that matter.
    mutating func judge<Failure: Error>(
        _ row: JournalTable.Row,
        isPrepared: Bool,
        folders: (Inode) throws(Failure) -> [Inode]
    ) throws(Failure) -> Verdict {
        let subjects = row.subjects
        let concerned = [subjects.node, subjects.parent, subjects.otherParent, subjects.replaced].compactMap { $0 }
        var mustWait = setAside.contains(row.place) || concerned.contains(where: held.contains)
        if !mustWait { mustWait = try isBehindBarrier(row, folders) }
        if mustWait {
            hold(row)
            return .wait
        }
        guard row.kind == .commit else { return .send }
        guard !committing.contains(subjects.node) else {
            hold(row)
            return .wait
        }
        committing.insert(subjects.node)
        return isPrepared ? .send : .prepare
    }

    private func isBehindBarrier<Failure: Error>(
        _ row: JournalTable.Row,
        _ folders: (Inode) throws(Failure) -> [Inode]
    ) throws(Failure) -> Bool {
        guard !heldFolders.isEmpty else { return false }
        let subjects = row.subjects
        if [subjects.parent, subjects.otherParent].contains(where: { $0.map(heldFolders.contains) ?? false }) {
            return true
        }
        return try folders(subjects.node).contains(where: heldFolders.contains)
    }

    /// Later rows about these nodes wait.
    mutating func hold(_ row: JournalTable.Row) {
        held.insert(row.subjects.node)
        if let replaced = row.subjects.replaced { held.insert(replaced) }
        if let folder = row.barrier { heldFolders.insert(folder) }
    }
}
