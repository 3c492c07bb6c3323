import DaleksCore

/// Tokens as attackers would send them, at whoever checks tokens. What it knows of the genuine one is what they know:
/// its header and claims; what it signs with the service's own key is what only the service's mistakes could give them.
public struct TokenForge: Sendable {
    public struct Attack: Sendable, CustomStringConvertible {
        public let name: String
        public let token: String

        public var description: String { name }
    }

    private let keyID: String
    /// JSON of each claim of the genuine token.
    private let claims: [(name: String, json: String)]
    private let genuine: String
    private let sign: @Sendable ([UInt8]) -> [UInt8]
    private let signAsStranger: @Sendable ([UInt8]) -> [UInt8]
    /// HMAC-SHA256 under any key.
    private let authenticate: @Sendable (_ key: [UInt8], _ message: [UInt8]) -> [UInt8]
    /// What anybody can read: the public key, as it is published.
    private let publicKey: String

    public init(
        keyID: String,
        claims: [(name: String, json: String)],
        publicKey: String,
        sign: @escaping @Sendable ([UInt8]) -> [UInt8],
        signAsStranger: @escaping @Sendable ([UInt8]) -> [UInt8],
        authenticate: @escaping @Sendable (_ key: [UInt8], _ message: [UInt8]) -> [UInt8]
    ) {
        self.keyID = keyID
        self.claims = claims
        self.publicKey = publicKey
        self.sign = sign
        self.signAsStranger = signAsStranger
        self.authenticate = authenticate
        genuine = Self.token(Self.header(keyID), Self.object(claims), sign)
    }

    /// Good: so that what the others are refused for is what is wrong with them.
    public var sound: String { genuine }

    public var attacks: [Attack] { algorithms + headers + spellings + changedClaims }

    // MARK: Parts

    private static func header(
        _ keyID: String,
        alg: String = "\"ES256\"",
        typ: String = "\"at+jwt\"",
        more: String = ""
    ) -> String {
        #"{"alg":\#(alg),"kid":"\#(keyID)","typ":\#(typ)\#(more)}"#
    }

    private static func object(_ claims: [(name: String, json: String)]) -> String {
        "{" + claims.map { "\"\($0.name)\":\($0.json)" }.joined(separator: ",") + "}"
    }

    private static func token(_ header: String, _ claims: String, _ sign: ([UInt8]) -> [UInt8]) -> String {
        let signed = Base64.encode(Array(header.utf8)) + "." + Base64.encode(Array(claims.utf8))
        return signed + "." + Base64.encode(sign(Array(signed.utf8)))
    }

    private func attack(_ name: String, header: String, _ sign: (([UInt8]) -> [UInt8])? = nil) -> Attack {
        Attack(name: name, token: Self.token(header, Self.object(claims), sign ?? self.sign))
    }

    private func attack(_ name: String, _ claim: String, _ json: String?) -> Attack {
        var changed = claims.filter { $0.name != claim }
        if let json { changed.append((claim, json)) }
        return Attack(
            name: "\(claim) \(name)",
            token: Self.token(Self.header(keyID), Self.object(changed), sign)
        )
    }

    // MARK: Attacks

    private var algorithms: [Attack] {
        let spelt = [
            "none", "None", "NONE", "nOnE", "", "ES256K", "ES384", "PS256", "RS256", "EdDSA", "es256", "HS256",
        ]
        let unsigned = spelt.map { name in
            attack("alg \(name), unsigned", header: Self.header(keyID, alg: "\"\(name)\"")) { _ in [] }
        }
        let keys = [("the public key", publicKey), ("the key's name", keyID), ("nothing", "")]
        let confused = keys.map { key in
            attack("HS256 under \(key.0)", header: Self.header(keyID, alg: "\"HS256\"")) { message in
                authenticate(Array(key.1.utf8), message)
            }
        }
        let values = ["null", "0", "[\"ES256\"]", "{}", "true"].map { json in
            attack("alg \(json)", header: Self.header(keyID, alg: json))
        }
        return unsigned + confused + values + [
            attack("a stranger's key", header: Self.header(keyID), signAsStranger),
            attack("no signature", header: Self.header(keyID)) { _ in [] },
            attack("a signature of zeros", header: Self.header(keyID)) { _ in [UInt8](repeating: 0, count: 64) },
            attack("a signature of ones", header: Self.header(keyID)) { _ in [UInt8](repeating: 255, count: 64) },
            attack("half a signature", header: Self.header(keyID)) { Array(sign($0).prefix(32)) },
            attack("a signature and more", header: Self.header(keyID)) { sign($0) + [0] },
            attack("another message's signature", header: Self.header(keyID)) { _ in sign([1]) },
        ]
    }

    private var headers: [Attack] {
        let kid = [
            "../../../../dev/null", "x' UNION SELECT 'k", "|/usr/bin/id", "http://evil.example/k", "", "\\u0000",
        ]
        let named = kid.map { attack("kid \($0)", header: Self.header($0)) }
        let more = [
            #","jwk":\#(publicKey)"#, #","jku":"https://evil.example/jwks""#, #","x5u":"https://evil.example/c""#,
            #","x5c":["AAAA"]"#, #","crit":["exp"]"#, #","b64":false"#, #","zip":"DEF""#, #","kid":"x""#,
            #","alg":"none""#, #","cty":"JWT""#,
        ]
        let extended = more.map { attack("header with \($0)", header: Self.header(keyID, more: $0), signAsStranger) }
        let signed = more.map { attack("header with \($0), soundly signed", header: Self.header(keyID, more: $0)) }
        let types = ["\"JWT\"", "\"jwt\"", "\"at+JWT \"", "null", "[\"at+jwt\"]", "\"id+jwt\"", "\"dpop+jwt\""]
        return named + extended + signed + types.map { attack("typ \($0)", header: Self.header(keyID, typ: $0)) } + [
            attack("no typ", header: #"{"alg":"ES256","kid":"\#(keyID)"}"#),
            attack("no kid", header: #"{"alg":"ES256","typ":"at+jwt"}"#),
            attack("a list for a header", header: "[]"), attack("no JSON for a header", header: "alg=ES256"),
        ]
    }

    private var spellings: [Attack] {
        let parts = genuine.split(separator: ".").map(String.init)
        let texts = [
            ("empty", ""), ("dots", ".."), ("two parts", "\(parts[0]).\(parts[1])"),
            ("no signature", "\(parts[0]).\(parts[1])."), ("four parts", genuine + ".AAAA"),
            ("five parts", genuine + ".AAAA.AAAA"), ("padded", genuine + "=="), ("a dot in front", "." + genuine),
            ("reversed", parts.reversed().joined(separator: ".")), ("percent", genuine + "%3D"),
            ("another alphabet", "\(parts[0]).+/+/.\(parts[2])"),
            ("huge", genuine + String(repeating: "A", count: 6_000)),
            ("JSON", #"{"payload":"\#(parts[1])","signature":"\#(parts[2])"}"#), ("a word", "token"),
        ]
        return texts.map { Attack(name: $0.0, token: $0.1) }
    }

    private var changedClaims: [Attack] {
        let changes: [(String, String, String?)] = [
            ("exp", "missing", nil), ("exp", "null", "null"), ("exp", "past", "1"), ("exp", "text", "\"9999999999\""),
            ("exp", "infinite", "1e400"), ("exp", "negative", "-1"), ("exp", "a list", "[9999999999]"),
            ("nbf", "far", "8999999999"), ("nbf", "text", "\"0\""), ("iat", "missing", nil),
            ("iat", "far", "8999999999"),
            ("iss", "missing", nil), ("iss", "another", "\"https://evil.example\""), ("iss", "empty", "\"\""),
            ("iss", "null", "null"), ("aud", "missing", nil), ("aud", "another", "\"https://evil.example\""),
            ("aud", "anybody", "\"*\""), ("aud", "nobody", "[]"), ("aud", "a number", "1"), ("sub", "missing", nil),
            ("sub", "empty", "\"\""), ("sub", "a number", "7"), ("sub", "somebody who is nobody", "\"root\""),
        ]
        return changes.map { attack($0.1, $0.0, $0.2) } + [
            Attack(
                name: "exp twice",
                token: Self.token(
                    Self.header(keyID),
                    String(Self.object(claims).dropLast()) + #","exp":8999999999}"#,
                    sign
                )
            ),
            Attack(name: "claims a list", token: Self.token(Self.header(keyID), "[\(Self.object(claims))]", sign)),
            Attack(name: "no claims", token: Self.token(Self.header(keyID), "{}", sign)),
        ]
    }
}
