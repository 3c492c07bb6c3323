public import DaleksHTTP
public import DaleksHTTPServer
public import DaleksSystem

extension Router {
    /// What operators and their machines ask every service: whether it lives, whether it can work (`ready` throws where
    /// not), and how much it does.
    public mutating func addOperations(
        metrics: Metrics,
        ready: @escaping @Sendable () throws(APIError) -> Void
    ) {
        on(.get, "/livez", runs: .event) { _, _ in .text("ok\n") }
        on(.get, "/readyz") { _, _ throws(APIError) in
            try ready()
            return .text("ok\n")
        }
        on(.get, "/metrics") { _, _ in .text(metrics.prometheusText(), contentType: Metrics.contentType) }
    }
}
