public import DaleksHTTP
import DaleksSystem

/// What the router knows about a request: what stood in its path.
public struct Context: Sendable {
    public let parameters: PathParameters
    /// The pattern that matched, such as `/v1/nodes/:id`.
    public let pattern: String
}

/// The same, and who asks. Only an `Authenticator` makes one: a handler that takes it cannot be reached by a request
/// that was not checked.
public struct Authenticated<Principal: Sendable>: Sendable {
    public let principal: Principal
    public let parameters: PathParameters
    public let pattern: String

    fileprivate init(principal: Principal, context: Context) {
        self.principal = principal
        parameters = context.parameters
        pattern = context.pattern
    }
}

/// The check that turns a request into somebody, or throws 401 or 403.
public struct Authenticator<Principal: Sendable>: Sendable {
    private let check: @Sendable (HTTPRequest) throws(APIError) -> Principal
    private let name: (@Sendable (Principal) -> String)?

    /// `check` runs on the thread of the route behind it: for an event route it must not block. `name` is how logs call
    /// whom it let in: an id, never a secret.
    public init(
        naming name: (@Sendable (Principal) -> String)? = nil,
        _ check: @escaping @Sendable (HTTPRequest) throws(APIError) -> Principal
    ) {
        self.check = check
        self.name = name
    }

    func authenticate(_ request: HTTPRequest, _ context: Context) throws(APIError) -> Authenticated<Principal> {
        let principal = try check(request)
        note(principal, request)
        return Authenticated(principal: principal, context: context)
    }

    /// For the log.
    func note(_ principal: Principal, _ request: HTTPRequest) {
        guard let name, let note = request.head.principal else { return }
        let text = name(principal)
        note.withLock { $0 = text }
    }
}
