/// The one vocabulary in which our HTTP surfaces say no.
public struct APIError: Error, Sendable, Equatable {
    /// What programs decide by. Names never change; new ones may come.
    public enum Code: String, CaseIterable, Sendable {
        case malformed
        case unauthorized
        case invalidCredentials = "invalid_credentials"
        case tokenExpired = "token_expired"
        case mfaRequired = "mfa_required"
        case forbidden
        case notFound = "not_found"
        case methodNotAllowed = "method_not_allowed"
        case notAcceptable = "not_acceptable"
        case timeout
        case conflict
        case alreadyExists = "already_exists"
        case notEmpty = "not_empty"
        case revisionConflict = "revision_conflict"
        case deviceForked = "device_forked"
        case gone
        case cursorExpired = "cursor_expired"
        case lengthRequired = "length_required"
        case preconditionFailed = "precondition_failed"
        case preconditionRequired = "precondition_required"
        case tooLarge = "too_large"
        case uriTooLong = "uri_too_long"
        case unsupported
        case rangeNotSatisfiable = "range_not_satisfiable"
        case expectationFailed = "expectation_failed"
        case misdirected
        case invalid
        case locked
        case headersTooLarge = "headers_too_large"
        case rateLimited = "rate_limited"
        case quotaExceeded = "quota_exceeded"
        case internalError = "internal"
        case notImplemented = "not_implemented"
        case badGateway = "bad_gateway"
        case unavailable
        case versionNotSupported = "version_not_supported"

        /// The status that goes with it unless the thrower knows better.
        public var status: HTTPStatus {
            switch self {
            case .malformed: .badRequest
            case .unauthorized, .invalidCredentials, .tokenExpired: .unauthorized
            case .mfaRequired, .forbidden: .forbidden
            case .notFound: .notFound
            case .methodNotAllowed: .methodNotAllowed
            case .notAcceptable: .notAcceptable
            case .timeout: .requestTimeout
            case .conflict, .alreadyExists, .notEmpty, .revisionConflict, .deviceForked: .conflict
            case .gone, .cursorExpired: .gone
            case .lengthRequired: .lengthRequired
            case .preconditionFailed: .preconditionFailed
            case .preconditionRequired: .preconditionRequired
            case .tooLarge: .contentTooLarge
            case .uriTooLong: .uriTooLong
            case .unsupported: .unsupportedMediaType
            case .rangeNotSatisfiable: .rangeNotSatisfiable
            case .expectationFailed: .expectationFailed
            case .misdirected: .misdirectedRequest
            case .invalid: .unprocessableContent
            case .locked: .locked
            case .headersTooLarge: .headerFieldsTooLarge
            case .rateLimited: .tooManyRequests
            case .quotaExceeded: .insufficientStorage
            case .internalError: .internalServerError
            case .notImplemented: .notImplemented
            case .badGateway: .badGateway
            case .unavailable: .serviceUnavailable
            case .versionNotSupported: .versionNotSupported
            }
        }
    }

    public let status: HTTPStatus
    public let code: Code
    /// One sentence for people. It goes to the client: no secrets, no contents, no paths of this machine.
    public let detail: String
    /// What goes into the header besides, such as Retry-After or WWW-Authenticate.
    public var fields: HTTPFields

    public init(_ code: Code, _ detail: String, status: HTTPStatus? = nil, fields: HTTPFields = HTTPFields()) {
        self.status = status ?? code.status
        self.code = code
        self.detail = detail
        self.fields = fields
    }

    /// The same with one field more.
    public func with(_ name: String, _ value: String) -> APIError {
        var copy = self
        copy.fields.set(name, value)
        return copy
    }

    /// The same, telling the client when to come back.
    public func retrying(afterSeconds seconds: Int) -> APIError { with("Retry-After", String(max(0, seconds))) }
}

extension APIError {
    public static func malformed(_ detail: String) -> APIError { APIError(.malformed, detail) }
    public static func invalid(_ detail: String) -> APIError { APIError(.invalid, detail) }
    public static func forbidden(_ detail: String) -> APIError { APIError(.forbidden, detail) }
    public static func notFound(_ detail: String) -> APIError { APIError(.notFound, detail) }
    public static func gone(_ detail: String) -> APIError { APIError(.gone, detail) }
    public static func conflict(_ detail: String) -> APIError { APIError(.conflict, detail) }
    public static func tooLarge(_ detail: String) -> APIError { APIError(.tooLarge, detail) }
    public static func unsupported(_ detail: String) -> APIError { APIError(.unsupported, detail) }
    public static func preconditionFailed(_ detail: String) -> APIError { APIError(.preconditionFailed, detail) }
    public static func internalError(_ detail: String) -> APIError { APIError(.internalError, detail) }

    /// 401 with the challenge that RFC 9110 demands.
    public static func unauthorized(_ detail: String, challenge: String = "Bearer") -> APIError {
        APIError(.unauthorized, detail).with("WWW-Authenticate", challenge)
    }

    public static func unavailable(_ detail: String, retryAfterSeconds: Int = 1) -> APIError {
        APIError(.unavailable, detail).retrying(afterSeconds: retryAfterSeconds)
    }

    public static func rateLimited(_ detail: String, retryAfterSeconds: Int) -> APIError {
        APIError(.rateLimited, detail).retrying(afterSeconds: retryAfterSeconds)
    }

    public static func methodNotAllowed(_ method: HTTPMethod, allowed: [HTTPMethod]) -> APIError {
        APIError(.methodNotAllowed, "this resource does not know the method").with(
            "Allow",
            allowed.map(\.rawValue).joined(separator: ", ")
        )
    }

    /// 416 that says how long the thing is.
    public static func rangeNotSatisfiable(size: Int64) -> APIError {
        APIError(.rangeNotSatisfiable, "no byte of the range exists").with("Content-Range", "bytes */\(size)")
    }
}
