import DaleksAPI
import DaleksCache
import DaleksCore

/// Decides which rows of the journal may go to the region now. No input or output: feed it rows in their order.
///
/// A row whose content is not uploaded yet stays, and whatever concerns the same node stays behind it; what does not
/// may overtake it, as it might on a disk that lost its power. A name is such a thing too: who takes one waits for
/// whoever has to leave it, or the region would take us for two who want the same. Folders in which things happen do
/// not bind those things together, but nothing overtakes the making of the folder it happens in, and a folder goes
/// after what was in it. Where a program was told that the content is safe (fsync), nothing that was done later in
/// its folder overtakes it either.
struct JournalPlan {
    /// Rows that are not to be sent now, whatever comes.
    let setAside: Set<Int64>
    private var held: Set<Inode> = []
    /// Folders of files that were made safe here and are not at the region yet.
    private var heldFolders: Set<Inode> = []
    /// Names that rows which stay make or take away, by folder.
    private var heldNames: [Inode: Set<Name>] = [:]
    /// Whether one of them moves a folder: into which other folder it may be moved then is not known by the region.
    private var holdsFolderMove = false
    /// Nodes of which a commit goes out now. The next one builds on the answer, so it waits for that.
    private var committing: Set<Inode> = []

    init(setAside: Set<Int64> = []) { self.setAside = setAside }

    enum Verdict: Equatable {
        case send
        /// Content has to be read first; where it must be uploaded too, `hold` the row.
        case prepare
        case wait
    }

    /// What a plan asks of the replica, where that matters.
    struct Questions<Failure: Error> {
        /// Where a node has names.
        var folders: (Inode) throws(Failure) -> [Inode]
        var isFolder: (Inode) throws(Failure) -> Bool
        /// What a row of metadata does.
        var mutation: (JournalTable.Row) throws(Failure) -> Mutation
    }

    mutating func judge<Failure: Error>(
        _ row: JournalTable.Row,
        isPrepared: Bool,
        _ questions: Questions<Failure>
    ) throws(Failure) -> Verdict {
        let subjects = row.subjects
        let concerned = [subjects.node, subjects.parent, subjects.otherParent, subjects.replaced].compactMap { $0 }
        var mustWait = setAside.contains(row.place) || concerned.contains(where: held.contains)
        if !mustWait { mustWait = try isBehindNames(row, questions) }
        if !mustWait { mustWait = try isBehindBarrier(row, questions.folders) }
        if mustWait {
            hold(row)
            try holdNames(row, questions)
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

    /// Whether a row needs a name that another has to leave or to take first, or ends a folder that is not empty yet.
    private func isBehindNames<Failure: Error>(
        _ row: JournalTable.Row,
        _ questions: Questions<Failure>
    ) throws(Failure) -> Bool {
        guard row.kind == .metadata, !heldNames.isEmpty else { return false }
        let subjects = row.subjects
        if let replaced = subjects.replaced, heldNames[replaced] != nil { return true }
        let homes = [subjects.parent, subjects.otherParent].compactMap { $0 }
        let isMove = homes.count == 2 && homes[0] != homes[1]
        if isMove, holdsFolderMove, try questions.isFolder(subjects.node) { return true }
        guard heldNames[subjects.node] != nil || homes.contains(where: { heldNames[$0] != nil }) else { return false }
        let mutation = try questions.mutation(row)
        if case .remove = mutation, heldNames[subjects.node] != nil { return true }
        return Self.names(mutation, subjects).contains { heldNames[$0.folder]?.contains($0.name) ?? false }
    }

    private mutating func holdNames<Failure: Error>(
        _ row: JournalTable.Row,
        _ questions: Questions<Failure>
    ) throws(Failure) {
        guard row.kind == .metadata, row.subjects.parent != nil else { return }
        let mutation = try questions.mutation(row)
        for spot in Self.names(mutation, row.subjects) { heldNames[spot.folder, default: []].insert(spot.name) }
        guard case .rename = mutation, row.subjects.parent != row.subjects.otherParent, !holdsFolderMove else { return }
        holdsFolderMove = try questions.isFolder(row.subjects.node)
    }

    /// The names that a step makes or takes away.
    private static func names(
        _ mutation: Mutation,
        _ subjects: JournalTable.Subjects
    ) -> [(folder: Inode, name: Name)] {
        guard let parent = subjects.parent else { return [] }
        switch mutation {
        case .create(let creation): return [(parent, creation.name)]
        case .link(_, let name, _, _), .remove(_, let name, _, _): return [(parent, name)]
        case .rename(let rename):
            return [(parent, rename.name)] + (subjects.otherParent.map { [($0, rename.toName)] } ?? [])
        case .attributes, .extended, .commit: return []
        }
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
