import DaleksCore
import DaleksCrypto

/// Keys made once for all tests of this target: RSA ones take their time.
enum TestKeys {
    static let elliptic = made(try? SigningKey.generate(.es256))
    static let otherElliptic = made(try? SigningKey.generate(.es256))
    static let rsa = made(try? SigningKey.generate(.rs256, rsaBits: 2_048))

    /// The order of P-256's group: the first number that is no scalar.
    static let order = made(Hex.decode("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551"))

    /// What a test cannot do without.
    static func made<Value>(_ value: Value?) -> Value {
        guard let value else { preconditionFailure("the tests' own preparations failed") }
        return value
    }

    /// Big-endian numbers of equal length.
    static func difference(_ left: [UInt8], _ right: ArraySlice<UInt8>) -> [UInt8] {
        var (result, borrow) = (left, 0)
        for (index, digit) in zip(left.indices, right).reversed() {
            let value = Int(left[index]) - Int(digit) - borrow
            result[index] = UInt8(truncatingIfNeeded: value)
            borrow = value < 0 ? 1 : 0
        }
        return result
    }
}
