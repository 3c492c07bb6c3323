public import DaleksHTTP
import DaleksSystem

/// Which handler answers what. Fill it once, at the start; a server or a test then only reads it.
public struct Router: Sendable {
    private var tree = RouteTree()
    private var prefix = ""
    private var middleware: [any Middleware] = []
    private static let knownMethods: [HTTPMethod] = [.get, .head, .post, .put, .patch, .delete, .options]

    public init() {}

    // MARK: Filling

    /// `pattern` is literal segments, `:name` for one of any text, and at the end `*name` for all that is left. A GET
    /// answers HEAD too; OPTIONS is answered for every path.
    public mutating func on(
        _ method: HTTPMethod,
        _ pattern: String,
        runs thread: RouteThread = .worker,
        body: BodyRule = .standard,
        handler: @escaping @Sendable (HTTPRequest, Context) throws(APIError) -> HTTPResponse
    ) {
        let route = Route(
            method: method,
            pattern: RoutePattern(prefix + pattern),
            thread: thread,
            body: body,
            handler: Self.wrap(handler, in: middleware)
        )
        tree.insert(route)
    }

    /// A route whose handler is reached only by those whom `authenticator` let through.
    public mutating func onAuthenticated<Principal: Sendable>(
        _ method: HTTPMethod,
        _ pattern: String,
        by authenticator: Authenticator<Principal>,
        runs thread: RouteThread = .worker,
        body: BodyRule = .standard,
        handler: @escaping @Sendable (HTTPRequest, Authenticated<Principal>) throws(APIError) -> HTTPResponse
    ) {
        on(method, pattern, runs: thread, body: body) { request, context throws(APIError) in
            try handler(request, try authenticator.authenticate(request, context))
        }
    }

    /// The same for a route whose answers are often at hand. `glance` is asked first, on the event thread: it must not
    /// wait. Nil, and a worker runs the handler as if nobody had asked. Where it gives an answer, and who got it, the
    /// caller is proved and nothing but the middleware is left to be asked.
    public mutating func onAuthenticated<Principal: Sendable>(
        _ method: HTTPMethod,
        _ pattern: String,
        by authenticator: Authenticator<Principal>,
        glance: @escaping @Sendable (HTTPRequest, Context) throws(APIError) -> (by: Principal, answer: HTTPResponse)?,
        handler: @escaping @Sendable (HTTPRequest, Authenticated<Principal>) throws(APIError) -> HTTPResponse
    ) {
        let whole: Route.Handler = { request, context throws(APIError) in
            try handler(request, try authenticator.authenticate(request, context))
        }
        let layers = middleware
        let route = Route(
            method: method,
            pattern: RoutePattern(prefix + pattern),
            thread: .worker,
            body: .standard,
            handler: Self.wrap(whole, in: middleware)
        ) { request, context throws(APIError) in
            guard let found = try glance(request, context) else { return nil }
            authenticator.note(found.by, request)
            return try Self.answer(request, found.answer, through: layers[...])
        }
        tree.insert(route)
    }

    private static func answer(
        _ request: HTTPRequest,
        _ answer: HTTPResponse,
        through layers: ArraySlice<any Middleware>
    ) throws(APIError) -> HTTPResponse {
        guard let first = layers.first else { return answer }
        return try first.respond(to: request) { request throws(APIError) in
            try Self.answer(request, answer, through: layers.dropFirst())
        }
    }

    /// Routes added by `build` begin with `prefix`, and `middleware` stands around them, the first outermost, inside
    /// whatever stands around this group.
    public mutating func group(
        _ prefix: String,
        middleware: [any Middleware] = [],
        _ build: (inout Router) -> Void
    ) {
        let (outerPrefix, outerMiddleware) = (self.prefix, self.middleware)
        self.prefix += prefix
        self.middleware += middleware
        build(&self)
        self.prefix = outerPrefix
        self.middleware = outerMiddleware
    }

    private static func wrap(_ handler: @escaping Route.Handler, in middleware: [any Middleware]) -> Route.Handler {
        var wrapped = handler
        for layer in middleware.reversed() { wrapped = wrap(wrapped, in: layer) }
        return wrapped
    }

    private static func wrap(_ inner: @escaping Route.Handler, in layer: any Middleware) -> Route.Handler {
        { (request: HTTPRequest, context: Context) throws(APIError) -> HTTPResponse in
            let next = { (request: HTTPRequest) throws(APIError) -> HTTPResponse in try inner(request, context) }
            return try layer.respond(to: request, next: next)
        }
    }

    /// Every route, for those who describe them.
    public var routes: [(method: HTTPMethod, pattern: String)] {
        tree.routes.map { ($0.method, $0.pattern.text) }
    }

    // MARK: Answering

    /// The whole answer to a request, with no socket in sight: ranges cut, conditions checked, errors as problems.
    ///
    /// The body is still what a server would send: `settled(within:)` waits for a parked one.
    public func respond(to request: HTTPRequest) -> HTTPResponse {
        var response: HTTPResponse
        switch resolve(request.method, request.target) {
        case .failure(let error):
            response = .problem(error, requestID: request.requestID)
        case .options(let allow):
            response = Self.optionsResponse(allow)
        case .route(let route, let parameters):
            response =
                glance(route, parameters, request)
                ?? run(route, parameters, request.limitingBody(to: route.body.bytesMax ?? .max))
        }
        response.fields.set("X-Request-Id", request.requestID)
        response.fields.set("X-Content-Type-Options", "nosniff")
        if response.fields["Content-Security-Policy"] == nil {
            response.fields.set("Content-Security-Policy", ResponseSender.policy)
        }
        response.fields.set("Date", HTTPDate.text(TimeSource.system.wall))
        return response
    }

    enum Resolution {
        case route(Route, PathParameters)
        case options(allow: String)
        case failure(APIError)
    }

    func resolve(_ method: HTTPMethod, _ target: RequestTarget) -> Resolution {
        guard Self.knownMethods.contains(method) else {
            return .failure(APIError(.notImplemented, "the method is not known here"))
        }
        if target.isAsterisk {
            guard method == .options else { return .failure(.malformed("only OPTIONS may ask for *")) }
            return .options(allow: Self.knownMethods.map(\.rawValue).joined(separator: ", "))
        }
        guard let match = tree.match(target.segments) else {
            return .failure(.notFound("there is nothing at this path"))
        }
        if let route = match.routes.first(where: { $0.method == method }) ?? head(method, match) {
            return .route(route, match.parameters(of: route))
        }
        let allowed = Self.allowed(match.routes)
        if method == .options { return .options(allow: allowed.map(\.rawValue).joined(separator: ", ")) }
        return .failure(.methodNotAllowed(method, allowed: allowed))
    }

    private func head(_ method: HTTPMethod, _ match: RouteTree.Match) -> Route? {
        method == .head ? match.routes.first { $0.method == .get } : nil
    }

    private static func allowed(_ routes: [Route]) -> [HTTPMethod] {
        var allowed = Set(routes.map(\.method))
        if allowed.contains(.get) { allowed.insert(.head) }
        allowed.insert(.options)
        return knownMethods.filter { allowed.contains($0) }
    }

    static func optionsResponse(_ allow: String) -> HTTPResponse { HTTPResponse(.noContent, fields: ["Allow": allow]) }

    /// Runs a route's handler and finishes what it answers.
    func run(_ route: Route, _ parameters: PathParameters, _ request: HTTPRequest) -> HTTPResponse {
        do throws(APIError) {
            let context = Context(parameters: parameters, pattern: route.pattern.text)
            let response = try route.handler(request, context)
            if case .parked(let start) = response.body { return finishLater(response, start, for: request) }
            return finish(response, for: request)
        } catch {
            return .problem(error, requestID: request.requestID)
        }
    }

    /// The finished answer where it is at hand. On the event thread; it does not wait.
    func glance(_ route: Route, _ parameters: PathParameters, _ request: HTTPRequest) -> HTTPResponse? {
        guard let glance = route.glance else { return nil }
        do throws(APIError) {
            let context = Context(parameters: parameters, pattern: route.pattern.text)
            return try glance(request, context).map { finish($0, for: request) }
        } catch {
            return .problem(error, requestID: request.requestID)
        }
    }

    /// What a parked request is answered with gets its ranges cut like any other answer.
    private func finishLater(
        _ response: HTTPResponse,
        _ start: @escaping @Sendable (Parked) -> Void,
        for request: HTTPRequest
    ) -> HTTPResponse {
        var later = response
        later.body = .parked { outer in
            let inner = Parked(requestID: request.requestID) { outer.complete(finish($0, for: request)) }
            // Weak: whoever drops the inner one unanswered must find it gone, and answered 500.
            outer.onClientGone { [weak inner] in inner?.clientWentAway() }
            start(inner)
        }
        return later
    }
}
