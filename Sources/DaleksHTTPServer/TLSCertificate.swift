import CMicroHTTPD
import DaleksCore
import DaleksSystem

/// One certificate chain with its key in GnuTLS's own form; freed with the last who holds it.
final class TLSCertificate: @unchecked Sendable {
    // Unchecked: what the pointer leads to is never changed after `init`, and GnuTLS reads it from many threads.
    let raw: UnsafeMutablePointer<daleks_tls>

    init(chain: [UInt8], key: [UInt8]) throws(HTTPServerError) {
        var error: Int32 = 0
        let loaded = chain.withUnsafeBytes { chain in
            key.withUnsafeBytes { key in
                daleks_tls_load(chain.baseAddress, chain.count, key.baseAddress, key.count, &error)
            }
        }
        guard let loaded else {
            throw .tls(
                error < 0 ? String(cString: gnutls_strerror(error)) : "the key does not belong to the certificate"
            )
        }
        raw = loaded
    }

    deinit { daleks_tls_free(raw) }
}

/// The certificate that new connections get, and those that handshakes under way may still use.
///
/// ## Concurrency
/// `state` guards both. GnuTLS borrows the pointer for the length of one handshake, which the header deadline bounds; a
/// certificate that was replaced is kept for longer than that.
final class TLSCertificates: Sendable {
    private struct State {
        var current: TLSCertificate
        var retired: [(certificate: TLSCertificate, at: Instant)] = []
    }

    private let files: TLSFiles
    private let handshakeMax: Duration
    private let state: Lock<State>

    init(_ files: TLSFiles, handshakeMax: Duration) throws(HTTPServerError) {
        self.files = files
        self.handshakeMax = handshakeMax
        state = Lock(State(current: try Self.load(files)))
    }

    /// Reads the files again. When it throws, the certificate stays what it was.
    func reload(now: Instant) throws(HTTPServerError) {
        let fresh = try Self.load(files)
        state.withLock { state in
            state.retired.removeAll { now - $0.at > handshakeMax + handshakeMax }
            state.retired.append((state.current, now))
            state.current = fresh
        }
    }

    var current: TLSCertificate { state.withLock { $0.current } }

    private static func load(_ files: TLSFiles) throws(HTTPServerError) -> TLSCertificate {
        try TLSCertificate(chain: read(files.certificateChain), key: read(files.privateKey))
    }

    private static func read(_ path: String) throws(HTTPServerError) -> [UInt8] {
        do throws(Errno) {
            // Chains of eight certificates take some 20 KiB; a megabyte is no certificate.
            return try TLSFileReader.contents(of: path, bytesMax: 1 << 20)
        } catch {
            throw .tls("\(path): \(error)")
        }
    }
}
