/// Why a server did not start, in one line that says what to do.
public enum HTTPServerError: Error, Equatable, Sendable {
    case addressInUse(String, port: UInt16)
    case cannotListen(String, port: UInt16, reason: String)
    case badAddress(String)
    case tls(String)
    case cannotStart(String)
}

extension HTTPServerError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .addressInUse(let address, let port):
            "port \(port) of \(address) is in use: stop the program that has it or choose another port"
        case .cannotListen(let address, let port, let reason):
            "cannot listen at port \(port) of \(address): \(reason)"
        case .badAddress(let address):
            "\(address) is no address to listen at: give an IPv4 or IPv6 address such as 127.0.0.1 or ::"
        case .tls(let reason):
            "the TLS certificate cannot be used: \(reason)"
        case .cannotStart(let reason):
            "the HTTP server cannot start: \(reason)"
        }
    }
}
