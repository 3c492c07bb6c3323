public import DaleksHTTP

/// An answer, whatever its status.
public struct ClientResponse: Sendable {
    public let status: HTTPStatus
    public let fields: HTTPFields
    /// Empty where a sink took it.
    public let body: [UInt8]
    /// How often the request was sent.
    public let attempts: Int

    public init(status: HTTPStatus, fields: HTTPFields, body: [UInt8], attempts: Int) {
        self.status = status
        self.fields = fields
        self.body = body
        self.attempts = attempts
    }
}
