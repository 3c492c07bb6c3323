extension Duration {
    /// Nanoseconds, clamped to what 64 bits hold (292 years).
    public var nanoseconds: Int64 {
        let (seconds, attoseconds) = components
        return Int64(clamping: Int128(seconds) * 1_000_000_000 + Int128(attoseconds / 1_000_000_000))
    }

    public var milliseconds: Int64 { nanoseconds / 1_000_000 }
    public var inSeconds: Double { Double(nanoseconds) / 1e9 }
}
