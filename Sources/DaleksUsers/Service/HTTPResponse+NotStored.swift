import DaleksHTTPServer

extension HTTPResponse {
    /// For answers with secrets or with what belongs to one person.
    var notStored: HTTPResponse { with("Cache-Control", "no-store") }
}
