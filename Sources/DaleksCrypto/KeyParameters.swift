import COpenSSL

/// Named values for the library, which only borrows them until they are used: they are kept here until then.
final class KeyParameters {
    let raw: OpaquePointer
    private var numbers: [OpaquePointer] = []
    private var copies: [UnsafeMutableBufferPointer<UInt8>] = []

    init() throws(CryptoError) {
        guard let raw = OSSL_PARAM_BLD_new() else { throw LibraryErrors.failure("reading a public key") }
        self.raw = raw
    }

    deinit {
        OSSL_PARAM_BLD_free(raw)
        numbers.forEach { BN_free($0) }
        copies.forEach { $0.deallocate() }
    }

    func push(_ bytes: [UInt8], as name: UnsafePointer<CChar>) -> Bool {
        let copy = kept(bytes)
        return OSSL_PARAM_BLD_push_octet_string(raw, name, copy.baseAddress, copy.count) == 1
    }

    func pushText(_ text: String, as name: UnsafePointer<CChar>) -> Bool {
        let copy = kept(Array(text.utf8))
        return OSSL_PARAM_BLD_push_utf8_string(raw, name, copy.baseAddress, copy.count) == 1
    }

    func pushNumber(_ bytes: [UInt8], as name: UnsafePointer<CChar>) -> Bool {
        guard let number = BN_bin2bn(bytes, Int32(bytes.count), nil) else { return false }
        numbers.append(number)
        return OSSL_PARAM_BLD_push_BN(raw, name, number) == 1
    }

    private func kept(_ bytes: [UInt8]) -> UnsafeMutableBufferPointer<UInt8> {
        let copy = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: bytes.count)
        _ = copy.initialize(from: bytes)
        copies.append(copy)
        return copy
    }
}
