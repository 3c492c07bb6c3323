import DaleksHTTPServer
import DaleksSystem

/// Counts requests by route and status. What is counted often is found by one look-up.
///
/// ## Concurrency
/// `routes` is guarded by itself; counting happens without it.
final class RequestMeasures: Sendable {
    private struct Route {
        let seconds: Histogram
        var statuses: [Int: Counter] = [:]
    }

    private let metrics: Metrics
    private let received: Counter
    private let sent: Counter
    private let routes = Lock<[String: Route]>([:])

    init(_ metrics: Metrics) {
        self.metrics = metrics
        received = metrics.counter("daleks_http_received_bytes_total", help: "Bytes of requests' bodies.")
        sent = metrics.counter("daleks_http_sent_bytes_total", help: "Bytes of answers' bodies.")
    }

    func count(_ request: ServedRequest) {
        let (seconds, counter) = routes.withLock { [metrics] routes -> (Histogram, Counter) in
            // Patterns are written in the sources and statuses are three digits, so this is bounded.
            var route = routes[request.pattern] ?? Route(seconds: Self.seconds(metrics, request))
            let counter = route.statuses[request.status] ?? Self.counter(metrics, request)
            if route.statuses[request.status] == nil {
                route.statuses[request.status] = counter
                routes[request.pattern] = route
            }
            return (route.seconds, counter)
        }
        counter.increment()
        if request.receivedBytes > 0 { received.increment(by: Int(request.receivedBytes)) }
        if request.bytes > 0 { sent.increment(by: Int(request.bytes)) }
        seconds.observe(request.duration)
    }

    private static func seconds(_ metrics: Metrics, _ request: ServedRequest) -> Histogram {
        metrics.histogram(
            "daleks_http_request_seconds",
            help: "Time to answer by route.",
            labels: ["route": request.pattern],
            buckets: Histogram.latencySeconds
        )
    }

    private static func counter(_ metrics: Metrics, _ request: ServedRequest) -> Counter {
        metrics.counter(
            "daleks_http_requests_total",
            help: "Requests by route and status; 0 where the client left before there was an answer.",
            labels: ["route": request.pattern, "status": String(request.status)]
        )
    }
}
