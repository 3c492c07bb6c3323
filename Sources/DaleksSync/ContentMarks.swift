import DaleksSystem

/// What tells the index of a file's changes. A protocol because the barrier behind it holds on to files.
protocol ContentMarks: AnyObject, Sendable {
    /// Commits that the spans are dirty, then runs `change`, which puts the first bytes into them.
    func mark(_ content: FileContent, _ spans: [Int], _ change: () throws(Errno) -> Void) throws(Errno)

    /// So many bytes went into the backing file of some content.
    func wrote(_ count: Int)
}
