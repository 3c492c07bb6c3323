/// Every queue, buffer, retry, body and name has its maximum here or in an extension beside the code that obeys it,
/// with the reason.
public enum Limits {
    /// What Linux's own file systems hold (NAME_MAX).
    public static let nameBytesMax = 255

    /// PATH_MAX without its terminator; a symlink's target obeys it too.
    public static let pathBytesMax = 4_095

    /// Names of one node: what ext4 holds, and what region and machine must agree on.
    public static let linksMax: UInt32 = 65_000

    /// One span of a file's content: large enough that a gigabyte has a thousand of them, small enough that changing
    /// one byte moves a megabyte at most.
    public static let spanBytes = 1 << 20

    /// What a span splits into when a file is written at random, so that a database page moves 64 KiB and not 1 MiB.
    public static let pieceBytes = 1 << 16

    /// A file's size: what a signed 64-bit offset can address, less one span so that rounding up cannot overflow.
    public static let fileBytesMax = Int64.max - Int64(spanBytes)
}
