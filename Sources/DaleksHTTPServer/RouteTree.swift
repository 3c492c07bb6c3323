import DaleksHTTP

/// Routes by the segments of their patterns. A literal goes before a parameter, a parameter before the rest.
struct RouteTree: Sendable {
    private struct Node: Sendable {
        var literals: [String: Int] = [:]
        var parameter: Int?
        /// Routes whose pattern ends here.
        var routes: [Route] = []
        /// Routes whose pattern ends in `*rest` here.
        var restRoutes: [Route] = []
    }

    /// What a path found: the routes of one pattern place, for every method.
    struct Match {
        let routes: [Route]
        let values: [String]
        let rest: [String]

        func parameters(of route: Route) -> PathParameters {
            if values.isEmpty, rest.isEmpty { return PathParameters() }
            return PathParameters(values: Array(zip(route.pattern.names, values)).map { ($0, $1) }, rest: rest)
        }
    }

    private var nodes = [Node()]

    var routes: [Route] { nodes.flatMap { $0.routes + $0.restRoutes } }

    mutating func insert(_ route: Route) {
        var index = 0
        for segment in route.pattern.segments {
            switch segment {
            case .literal(let text):
                index = child(of: index, \.literals[text])
            case .parameter:
                index = child(of: index, \.parameter)
            case .rest:
                precondition(!nodes[index].restRoutes.contains { $0.method == route.method }, "two routes are one")
                nodes[index].restRoutes.append(route)
                return
            }
        }
        precondition(!nodes[index].routes.contains { $0.method == route.method }, "two routes are one")
        nodes[index].routes.append(route)
    }

    private mutating func child(of index: Int, _ place: WritableKeyPath<Node, Int?>) -> Int {
        if let existing = nodes[index][keyPath: place] { return existing }
        nodes.append(Node())
        nodes[index][keyPath: place] = nodes.count - 1
        return nodes.count - 1
    }

    func match(_ segments: [String]) -> Match? {
        var values: [String] = []
        return match(segments, at: 0, node: 0, &values)
    }

    private func match(_ segments: [String], at position: Int, node index: Int, _ values: inout [String]) -> Match? {
        if position == segments.count {
            if !nodes[index].routes.isEmpty { return Match(routes: nodes[index].routes, values: values, rest: []) }
        } else {
            let segment = segments[position]
            if let next = nodes[index].literals[segment],
                let match = match(segments, at: position + 1, node: next, &values)
            {
                return match
            }
            // A parameter is never empty: `/a/` is not `/a/:name`.
            if let next = nodes[index].parameter, !segment.isEmpty {
                values.append(segment)
                if let match = match(segments, at: position + 1, node: next, &values) { return match }
                values.removeLast()
            }
        }
        guard !nodes[index].restRoutes.isEmpty else { return nil }
        return Match(routes: nodes[index].restRoutes, values: values, rest: Array(segments[position...]))
    }
}
