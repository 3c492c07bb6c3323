import COpenSSL
import DaleksJSON

/// A public key that checks signatures. It knows its one algorithm, so a token cannot talk it into another.
///
/// ## Concurrency
/// Immutable; any number of threads may verify at a time.
public final class VerificationKey: Sendable {
    private let native: NativeKey

    /// As published: with its thumbprint for a key id.
    public let jwk: JWK

    public var algorithm: SignatureAlgorithm { native.algorithm }

    /// Shares the private half's key, whose private part verification does not touch.
    init(publicHalfOf native: NativeKey) throws(CryptoError) {
        self.native = native
        let parameters: JWK.Parameters =
            switch native.algorithm {
            case .es256:
                .p256(
                    x: try native.number(daleks_param_x(), byteCount: JWK.coordinateBytes),
                    y: try native.number(daleks_param_y(), byteCount: JWK.coordinateBytes)
                )
            case .rs256:
                .rsa(
                    modulus: try native.number(daleks_param_modulus()),
                    exponent: try native.number(daleks_param_exponent())
                )
            }
        do {
            jwk = try JWK(parameters)
        } catch {
            throw .unsupported("a key that is \(error.message)")
        }
    }

    /// Checks that the point lies on its curve and the numbers are of their sizes.
    public init(jwk: JWK) throws(CryptoError) {
        self.jwk = jwk
        switch jwk.parameters {
        case .p256(let x, let y):
            native = try Self.key(type: "EC") { builder in
                // The uncompressed form of a point begins with 4.
                builder.pushText("prime256v1", as: daleks_param_group())
                    && builder.push([4] + x + y, as: daleks_param_public())
            }
        case .rsa(let modulus, let exponent):
            native = try Self.key(type: "RSA") { builder in
                builder.pushNumber(modulus, as: daleks_param_modulus())
                    && builder.pushNumber(exponent, as: daleks_param_exponent())
            }
        }
    }

    /// Of an ES256 signature in JOSE's spelling (64 bytes `r ‖ s`) or an RS256 one; anything else is just false.
    public func verify(_ signature: [UInt8], of message: [UInt8]) -> Bool {
        native.verify(signature, of: message)
    }

    private static func key(
        type: String,
        _ describe: (KeyParameters) -> Bool
    ) throws(CryptoError) -> NativeKey {
        let builder = try KeyParameters()
        guard describe(builder), let parameters = OSSL_PARAM_BLD_to_param(builder.raw) else {
            throw LibraryErrors.failure("reading a public key")
        }
        defer { OSSL_PARAM_free(parameters) }
        let context = try KeyContext(type: type)
        var raw: OpaquePointer?
        guard EVP_PKEY_fromdata_init(context.raw) == 1,
            EVP_PKEY_fromdata(context.raw, &raw, daleks_selection_public_key(), parameters) == 1, let raw
        else {
            LibraryErrors.clear()
            throw .malformed("the numbers are not a public key (a point off its curve?)")
        }
        let key = try NativeKey(owning: raw)
        guard EVP_PKEY_public_check(try KeyContext(key).raw) == 1 else {
            LibraryErrors.clear()
            throw .malformed("the public key does not pass its checks")
        }
        return key
    }
}
