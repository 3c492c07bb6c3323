/// What libpq calls back, away from any main: C calls these from whichever thread uses the connection.
enum Callbacks {
    /// Without a receiver libpq prints notices on standard error, and a notice may quote values.
    static let dropNotice: @convention(c) (UnsafeMutableRawPointer?, OpaquePointer?) -> Void = { _, _ in }
}
