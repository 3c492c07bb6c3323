import DaleksCache

/// Decides which rows of the journal may go to the region now. No input or output: feed it rows in their order.
///
/// A row whose content is not uploaded yet stays, and whatever concerns the same node stays behind it; what does not
/// may overtake it, as it might on a disk that lost its power. Folders in which things happen do not bind those things
/// together, but nothing overtakes the making of the folder it happens in.
struct JournalPlan {
    /// Rows that are not to be sent now, whatever comes.
    let setAside: Set<Int64>
    private var held: Set<Inode> = []
    /// Nodes of which a commit goes out now. The next one builds on the answer, so it waits for that.
    private var committing: Set<Inode> = []

    init(setAside: Set<Int64> = []) { self.setAside = setAside }

    enum Verdict: Equatable {
        case send
        /// Content has to be read first; where it must be uploaded too, `hold` the row.
        case prepare
        case wait
    }

    mutating func judge(_ row: JournalTable.Row, isPrepared: Bool) -> Verdict {
        let subjects = row.subjects
        let concerned = [subjects.node, subjects.parent, subjects.otherParent, subjects.replaced].compactMap { $0 }
        if setAside.contains(row.place) || concerned.contains(where: held.contains) {
            hold(subjects)
            return .wait
        }
        guard row.kind == .commit else { return .send }
        guard !committing.contains(subjects.node) else {
            hold(subjects)
            return .wait
        }
        committing.insert(subjects.node)
        return isPrepared ? .send : .prepare
    }

    /// Later rows about these nodes wait.
    mutating func hold(_ subjects: JournalTable.Subjects) {
        held.insert(subjects.node)
        if let replaced = subjects.replaced { held.insert(replaced) }
    }
}
