import CMicroHTTPD

/// Calls whose names or flags Swift's Glibc module leaves out. All answer -1 and errno where they fail.
enum SocketCalls {
    /// A stream socket that does not block and is not inherited.
    static func stream(family: Int32) -> Int32 { daleks_stream_socket(family) }

    /// A waiting connection of a listening socket, of the same kind.
    static func accept(_ listening: Int32, _ address: UnsafeMutableRawPointer?, _ count: inout UInt32) -> Int32 {
        daleks_accept(listening, address, &count)
    }

    /// The same socket under another number, not inherited either.
    static func duplicate(_ descriptor: Int32) -> Int32 { daleks_duplicate(descriptor) }
}
