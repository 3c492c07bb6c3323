public import DaleksCore

extension Limits {
    /// What a JSON text may cost its reader.
    public enum JSON {
        /// Deeper than any body of ours (a handful of levels), shallow enough that the parser's recursion stays within
        /// a small thread's stack.
        public static let depthMax = 64

        /// A page of thousands of children with full attributes fits several times over; a parsed value takes up to
        /// twenty times its text, so this also bounds memory.
        public static let bytesMax = 16 << 20

        /// Numbers longer than this are not anybody's data, and reading one exactly takes longer the longer it is.
        public static let numberBytesMax = 512

        /// Objects with more members than this are looked up by hash; below, comparing in order is quicker.
        static let linearMembersMax = 12
    }
}

/// What one parse accepts at most.
public struct JSONLimits: Sendable {
    public var depthMax: Int
    public var bytesMax: Int

    /// More than `Limits.JSON.depthMax` levels are never accepted, whatever is asked for.
    public init(depthMax: Int = Limits.JSON.depthMax, bytesMax: Int = Limits.JSON.bytesMax) {
        self.depthMax = min(depthMax, Limits.JSON.depthMax)
        self.bytesMax = bytesMax
    }

    public static let `default` = JSONLimits()
}
