extension FileDescriptor {
    /// Gives the blocks of a range back to the file system; the file keeps its size and reads as zeros there. Bytes of
    /// blocks that the range covers in part become zeros too, within the range only.
    public borrowing func punchHole(_ range: Range<Int64>) throws(Errno) {
        guard !range.isEmpty else { return }
        try retryingInterrupts { Shim.punchHole(raw, Int(range.lowerBound), range.count) }
    }
}
