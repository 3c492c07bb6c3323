import DaleksCore
import DaleksJSON

/// The spellings that docs/wire.md fixes, read and written in one place.
extension JSONReader {
    func has(_ key: String) -> Bool {
        guard case .object(let object) = value, let member = object[key] else { return false }
        return member != .null
    }

    /// An error about one member.
    func refused(_ key: String, _ message: String) -> JSONError { JSONError(message: message, path: "\(path).\(key)") }

    /// Either `name` (text) or `name64` (bytes that are not UTF-8), never both.
    func name(prefix: String = "") throws(JSONError) -> Name {
        let key = prefix + "name"
        let text = try optionalString(key)
        let bytes = try optionalBytes(key + "64")
        switch (text, bytes) {
        case (let text?, nil): return try checkedName(Array(text.utf8), key)
        case (nil, let bytes?): return try checkedName(bytes, key + "64")
        default: throw refused(key, "exactly one of \(key) and \(key)64 must be there")
        }
    }

    /// Nil where neither is there.
    func optionalName(prefix: String = "") throws(JSONError) -> Name? {
        has(prefix + "name") || has(prefix + "name64") ? try name(prefix: prefix) : nil
    }

    func rights(_ key: String) throws(JSONError) -> Rights {
        var rights: Rights = []
        for word in try strings(key, countMax: Rights.words.count) {
            guard let right = Rights(word) else { throw refused(key, "has a word that is not a right") }
            rights.formUnion(right)
        }
        return rights
    }

    func optionalRights(_ key: String) throws(JSONError) -> Rights? { has(key) ? try rights(key) : nil }

    func visibility(_ key: String) throws(JSONError) -> Visibility {
        guard let visibility = Visibility(rawValue: try string(key, bytesMax: 16)) else {
            throw refused(key, "is not a visibility")
        }
        return visibility
    }

    func optionalTime(_ key: String) throws(JSONError) -> Timestamp? { has(key) ? try time(key) : nil }

    func checkedName(_ bytes: [UInt8], _ key: String) throws(JSONError) -> Name {
        do {
            return try Name(bytes)
        } catch {
            switch error {
            case .empty: throw refused(key, "must not be empty")
            case .tooLong: throw refused(key, "must not be longer than \(Limits.nameBytesMax) bytes")
            case .reserved: throw refused(key, "must not be . or .. nor hold / or NUL")
            }
        }
    }

    func kind(_ key: String) throws(JSONError) -> NodeKind {
        guard let kind = NodeKind(word: try string(key)) else { throw refused(key, "is not a kind of node") }
        return kind
    }

    /// The name of an extended attribute, spelt as names of files are.
    func extendedName() throws(JSONError) -> [UInt8] {
        let (text, bytes) = (try optionalString("name"), try optionalBytes("name64"))
        switch (text, bytes) {
        case (let text?, nil): return Array(text.utf8)
        case (nil, let bytes?): return bytes
        default: throw refused("name", "exactly one of name and name64 must be there")
        }
    }

    /// Absent where there are none.
    func extended() throws(JSONError) -> ExtendedAttributes {
        var extended = ExtendedAttributes()
        guard has("xattrs") else { return extended }
        for member in try array("xattrs") {
            guard let value = try member.optionalBytes("value"),
                extended.set(try member.extendedName(), to: value)
            else { throw refused("xattrs", "each has a name and a value, \(Limits.extendedBytesMax) bytes in all") }
        }
        return extended
    }

    func time(_ key: String) throws(JSONError) -> Timestamp { Timestamp(nanoseconds: try integer(key)) }
    func revision(_ key: String) throws(JSONError) -> Revision { try integer(key, in: 0...Int64.max) }
    func word32(_ key: String) throws(JSONError) -> UInt32 { try integer(key, in: 0...UInt32.max) }
    func mode(_ key: String) throws(JSONError) -> UInt32 { try integer(key, in: 0...0o7777) }

    func checkedDigest(_ text: String, _ key: String) throws(JSONError) -> Digest {
        guard let digest = Digest(text) else { throw refused(key, "is not a digest of 64 hexadecimal digits") }
        return digest
    }

    func digests(_ key: String) throws(JSONError) -> [Digest] {
        var digests: [Digest] = []
        for element in try array(key, countMax: Limits.Wire.digestQueryCountMax) {
            digests.append(try element.digestValue())
        }
        return digests
    }

    func list<Element: JSONDecodable>(_ key: String) throws(JSONError) -> [Element] {
        var elements: [Element] = []
        let members = try array(key)
        elements.reserveCapacity(members.count)
        for member in members { elements.append(try member.decode()) }
        return elements
    }
}

extension JSONWriter {
    mutating func extendedName(_ name: [UInt8]) {
        if let text = String(validating: name, as: UTF8.self) {
            member("name", text)
        } else {
            member("name64", Base64.encode(name))
        }
    }

    mutating func extended(_ extended: ExtendedAttributes) {
        key("xattrs")
        beginArray()
        for item in extended.items {
            beginObject()
            extendedName(item.name)
            member("value", Base64.encode(item.value))
            endObject()
        }
        endArray()
    }

    mutating func name(_ name: Name, prefix: String = "") {
        if let text = name.text {
            member(prefix + "name", text)
        } else {
            member(prefix + "name64", Base64.encode(name.bytes))
        }
    }
}
