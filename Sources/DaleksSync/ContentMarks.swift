import DaleksCache
import DaleksSystem

/// What tells the index of a file's changes. A protocol because the barrier behind it holds on to files.
protocol ContentMarks: AnyObject, Sendable {
    /// Commits that the spans are dirty, and that a cut which was due is done, then runs `change`, which puts the first
    /// bytes into them.
    func mark(_ content: FileContent, _ spans: [Int], _ change: () throws(Errno) -> Void) throws(Errno)

    /// Commits that the spans are not dirty: what was to be written there did not get in, and the file ends before
    /// them.
    func unmark(_ inode: Inode, _ spans: Set<Int>) throws(Errno)

    /// Throws where so many more bytes may not be written now.
    func admit(_ count: Int) throws(Obstacle)

    /// So many bytes went into the backing file of some content.
    func wrote(_ count: Int)
}
