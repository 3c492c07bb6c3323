public import DaleksJSON

/// What waits for a person, as a daemon tells it. Paths are within the mount, and shown: control characters in them are
/// escaped.
public struct ControlDisputes: Hashable, Sendable, JSONEncodable, JSONDecodable {
    /// A file that stands aside under a conflict name.
    public struct Copy: Hashable, Sendable, JSONEncodable, JSONDecodable {
        public var path: String
        /// What it stands beside, where that is still there.
        public var plain: String?
        public var host: String
        public var date: String
        public var size: Int64
        /// In nanoseconds.
        public var modified: Int64

        public init(path: String, plain: String?, host: String, date: String, size: Int64, modified: Int64) {
            self.path = path
            self.plain = plain
            self.host = host
            self.date = date
            self.size = size
            self.modified = modified
        }

        public func encode(to json: inout JSONWriter) {
            json.beginObject()
            json.member("path", path)
            json.member("plain", ifPresent: plain)
            json.member("host", host)
            json.member("date", date)
            json.member("size", size)
            json.member("modified", modified)
            json.endObject()
        }

        public init(json: JSONValue) throws(JSONError) {
            let reader = JSONReader(json)
            self.init(
                path: try reader.string("path"),
                plain: try reader.optionalString("plain"),
                host: try reader.string("host"),
                date: try reader.string("date"),
                size: try reader.integer("size"),
                modified: try reader.integer("modified")
            )
        }
    }

    /// A change that the region does not take.
    public struct Refusal: Hashable, Sendable, JSONEncodable, JSONDecodable {
        public var path: String
        public var word: String
        public var code: String
        public var detail: String
        /// In nanoseconds; when it is tried again.
        public var retryAt: Int64

        public init(path: String, word: String, code: String, detail: String, retryAt: Int64) {
            self.path = path
            self.word = word
            self.code = code
            self.detail = detail
            self.retryAt = retryAt
        }

        public func encode(to json: inout JSONWriter) {
            json.beginObject()
            json.member("path", path)
            json.member("change", word)
            json.member("code", code)
            json.member("detail", detail)
            json.member("retry_at", retryAt)
            json.endObject()
        }

        public init(json: JSONValue) throws(JSONError) {
            let reader = JSONReader(json)
            self.init(
                path: try reader.string("path"),
                word: try reader.string("change"),
                code: try reader.string("code"),
                detail: try reader.string("detail"),
                retryAt: try reader.integer("retry_at")
            )
        }
    }

    public var copies: [Copy]
    public var refusals: [Refusal]
    /// Files of this machine, outside the mount, with bytes that nobody could vouch for after a power cut.
    public var setAside: [String]

    public init(copies: [Copy] = [], refusals: [Refusal] = [], setAside: [String] = []) {
        self.copies = copies
        self.refusals = refusals
        self.setAside = setAside
    }

    public func encode(to json: inout JSONWriter) {
        json.beginObject()
        json.member("copies", copies)
        json.member("refused", refusals)
        json.member("set_aside", setAside)
        json.endObject()
    }

    public init(json: JSONValue) throws(JSONError) {
        let reader = JSONReader(json)
        self.init(
            copies: try reader.list("copies"),
            refusals: try reader.list("refused"),
            setAside: try reader.array("set_aside").map { value throws(JSONError) in try value.stringValue() }
        )
    }
}
