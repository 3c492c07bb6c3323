import DaleksAPI
import DaleksCore
import DaleksHTTP

/// The field in which a client of tus says where its upload is to go: `key BASE64,key BASE64`.
struct UploadMetadata {
    /// Those that are text; a key without a value is passed over.
    private(set) var values: [String: String] = [:]

    init(_ text: String) throws(APIError) {
        for pair in text.split(separator: ",") {
            let words = pair.split(separator: " ")
            guard let key = words.first, words.count <= 2 else { throw .malformed("Upload-Metadata cannot be read") }
            guard words.count == 2 else { continue }
            guard let bytes = Base64.decode(String(words[1]), .standard) else {
                throw .malformed("Upload-Metadata is not base64")
            }
            values[String(key)] = String(validating: bytes, as: UTF8.self)
        }
    }
}
