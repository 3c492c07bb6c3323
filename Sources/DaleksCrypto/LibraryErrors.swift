import COpenSSL

/// The library's queue of errors belongs to the thread, and other users of the library (TLS) read it too: whoever meets
/// an error empties it.
enum LibraryErrors {
    static func clear() { ERR_clear_error() }

    static func failure(_ operation: String) -> CryptoError {
        let code = ERR_peek_last_error()
        ERR_clear_error()
        guard code != 0, let reason = ERR_reason_error_string(code) else {
            return .failed(operation: operation, reason: "no reason given")
        }
        return .failed(operation: operation, reason: String(cString: reason))
    }
}
