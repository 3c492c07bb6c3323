public import DaleksCache
public import DaleksSystem

/// Why an operation on the local tree cannot be answered at once.
public enum Obstacle: Error, Hashable, Sendable {
    /// It never can: this is the answer.
    case errno(Errno)
    /// It can, when this has come from the region.
    case needs(Need)
}

/// Something that the region has and this machine has not.
public enum Need: Hashable, Sendable {
    /// Every entry of a folder.
    case folder(Inode)
    /// Some spans of a file's bytes.
    case spans(Inode, Range<Int>)
    /// Some pieces of spans, counted through the whole file.
    case pieces(Inode, Range<Int>)
    /// What the bytes of a file are made of.
    case manifest(Inode)
    /// Not of the region, but for it: that it has taken some of what is written here.
    case room
}
