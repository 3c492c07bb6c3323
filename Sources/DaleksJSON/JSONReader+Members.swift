public import DaleksCore

/// Members by name.
extension JSONReader {
    public func string(_ key: String, bytesMax: Int = .max) throws(JSONError) -> String {
        try member(key).stringValue(bytesMax: bytesMax)
    }

    public func optionalString(_ key: String, bytesMax: Int = .max) throws(JSONError) -> String? {
        try optional(key)?.stringValue(bytesMax: bytesMax)
    }

    public func integer(_ key: String) throws(JSONError) -> Int64 { try member(key).integerValue() }

    public func integer<Integer: FixedWidthInteger>(
        _ key: String,
        in range: ClosedRange<Integer>
    ) throws(JSONError) -> Integer {
        try member(key).integerValue(in: range)
    }

    public func optionalInteger(_ key: String) throws(JSONError) -> Int64? { try optional(key)?.integerValue() }

    public func optionalInteger<Integer: FixedWidthInteger>(
        _ key: String,
        in range: ClosedRange<Integer>
    ) throws(JSONError) -> Integer? {
        try optional(key)?.integerValue(in: range)
    }

    public func double(_ key: String) throws(JSONError) -> Double { try member(key).doubleValue() }

    public func optionalDouble(_ key: String) throws(JSONError) -> Double? { try optional(key)?.doubleValue() }

    public func bool(_ key: String) throws(JSONError) -> Bool { try member(key).boolValue() }

    public func optionalBool(_ key: String) throws(JSONError) -> Bool? { try optional(key)?.boolValue() }

    /// Bytes from unpadded base64url text.
    public func bytes(_ key: String, countMax: Int = .max) throws(JSONError) -> [UInt8] {
        try member(key).bytesValue(countMax: countMax)
    }

    public func optionalBytes(_ key: String, countMax: Int = .max) throws(JSONError) -> [UInt8]? {
        try optional(key)?.bytesValue(countMax: countMax)
    }

    public func object(_ key: String) throws(JSONError) -> JSONReader {
        let member = try member(key)
        _ = try member.objectValue()
        return member
    }

    public func optionalObject(_ key: String) throws(JSONError) -> JSONReader? {
        guard let member = try optional(key) else { return nil }
        _ = try member.objectValue()
        return member
    }

    public func array(_ key: String, countMax: Int = .max) throws(JSONError) -> [JSONReader] {
        try member(key).arrayValue(countMax: countMax)
    }

    public func optionalArray(_ key: String, countMax: Int = .max) throws(JSONError) -> [JSONReader]? {
        try optional(key)?.arrayValue(countMax: countMax)
    }

    public func strings(_ key: String, countMax: Int = .max) throws(JSONError) -> [String] {
        var texts: [String] = []
        for element in try array(key, countMax: countMax) { texts.append(try element.stringValue()) }
        return texts
    }

    public func identifier<Kind>(_ key: String) throws(JSONError) -> Identifier<Kind> {
        try member(key).identifierValue()
    }

    public func optionalIdentifier<Kind>(_ key: String) throws(JSONError) -> Identifier<Kind>? {
        try optional(key)?.identifierValue()
    }

    public func digest(_ key: String) throws(JSONError) -> Digest { try member(key).digestValue() }

    public func optionalDigest(_ key: String) throws(JSONError) -> Digest? { try optional(key)?.digestValue() }

    public func decode<Decoded: JSONDecodable>(
        _ key: String,
        as type: Decoded.Type = Decoded.self
    ) throws(JSONError) -> Decoded {
        try member(key).decode(type)
    }

    public func optionalDecode<Decoded: JSONDecodable>(
        _ key: String,
        as type: Decoded.Type = Decoded.self
    ) throws(JSONError) -> Decoded? {
        try optional(key)?.decode(type)
    }
}
