import COpenSSL
import DaleksCore

/// Text that carries DER between two lines of dashes (RFC 7468).
enum PEM {
    /// The bytes of the first block, which must carry this label and be neither encrypted nor too long.
    static func decode(_ text: String, label: String) throws(CryptoError) -> [UInt8] {
        var text = text
        guard text.utf8.count <= Limits.Crypto.pemBytesMax else {
            throw .malformed("PEM text of more than \(Limits.Crypto.pemBytesMax) bytes")
        }
        let block: (label: String, header: String, bytes: [UInt8])? = text.withUTF8 { source in
            guard let bio = BIO_new_mem_buf(source.baseAddress, Int32(source.count)) else { return nil }
            defer { BIO_free(bio) }
            var (name, header): (UnsafeMutablePointer<CChar>?, UnsafeMutablePointer<CChar>?)
            var bytes: UnsafeMutablePointer<UInt8>?
            var count = 0
            guard PEM_read_bio(bio, &name, &header, &bytes, &count) == 1, let name, let header, let bytes else {
                return nil
            }
            defer {
                daleks_openssl_free(name)
                daleks_openssl_free(header)
                OPENSSL_cleanse(bytes, count)
                daleks_openssl_free(bytes)
            }
            return (
                String(cString: name), String(cString: header), Array(UnsafeBufferPointer(start: bytes, count: count))
            )
        }
        guard let block else {
            LibraryErrors.clear()
            throw .malformed("no PEM block found")
        }
        guard block.label == label, block.header.isEmpty else {
            throw .unsupported("a PEM block other than an unencrypted \(label)")
        }
        return block.bytes
    }

    /// What `write` puts into a BIO, as text.
    static func written(_ what: String, _ write: (OpaquePointer) -> Int32) throws(CryptoError) -> String {
        guard let bio = BIO_new(BIO_s_secmem()) else { throw LibraryErrors.failure("writing \(what)") }
        defer { BIO_free(bio) }
        guard write(bio) == 1 else { throw LibraryErrors.failure("writing \(what)") }
        var start: UnsafePointer<CChar>?
        let count = daleks_bio_memory(bio, &start)
        let bytes = UnsafeRawBufferPointer(start: start, count: count)
        return String(decoding: bytes, as: UTF8.self)
    }
}
