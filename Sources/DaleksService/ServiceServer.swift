import DaleksCore
public import DaleksHTTPServer
public import DaleksSystem

/// A service's HTTP server with its measures and its access log.
///
/// ## Concurrency
/// The parts lock by themselves. `start`, `reload` and `drain` are called by one thread.
public final class ServiceServer: Sendable {
    private let server: HTTPServer
    private let log: AccessLog
    private let drainTimeout: Duration

    public var port: UInt16 { server.port }
    /// How this machine reaches it: the address and the port that it listens at.
    public let url: String

    /// Reads the certificate; nobody is served yet.
    public init(
        _ settings: ServingSettings,
        listening: ListeningSocket,
        router: Router,
        metrics: Metrics,
        logger: Logger
    ) throws(ServiceFailure) {
        let log = AccessLog(settings.accessLog, metrics: metrics)
        let measures = RequestMeasures(metrics)
        var configuration = settings.configuration
        configuration.observe = { request in
            measures.count(request)
            log.record(request)
        }
        do throws(HTTPServerError) {
            server = try HTTPServer(configuration, listening: listening, router: router, logger: logger)
        } catch {
            log.stop()
            throw ServiceFailure("\(error)")
        }
        self.log = log
        Self.measure(server, metrics)
        url = settings.url(port: server.port)
        drainTimeout = settings.drainTimeout
    }

    /// Weakly: the server's routes know the metrics.
    private static func measure(_ server: HTTPServer, _ metrics: Metrics) {
        metrics.gauge("daleks_http_connections", help: "Connections that are open, parked ones included.") {
            [weak server] in Double(server?.connectionCount ?? 0)
        }
        metrics.gauge("daleks_http_requests_active", help: "Requests that are not answered yet.") {
            [weak server] in Double(server?.activeCount ?? 0)
        }
        metrics.gauge("daleks_http_workers_busy", help: "Handlers that run.") {
            [weak server] in Double(server?.busyCount ?? 0)
        }
        metrics.gauge("daleks_http_workers_waiting", help: "Requests that wait for a worker.") {
            [weak server] in Double(server?.waitingCount ?? 0)
        }
    }

    public func start() throws(ServiceFailure) {
        do throws(HTTPServerError) {
            try server.start()
        } catch {
            log.stop()
            throw ServiceFailure("\(error)")
        }
    }

    /// Reads the certificate again. Where that fails, the old one goes on.
    public func reload() throws(ServiceFailure) {
        do throws(HTTPServerError) { try server.reloadCertificates() } catch { throw ServiceFailure("\(error)") }
    }

    /// Answers what was asked and ends.
    public func drain() {
        server.drain(timeout: drainTimeout)
        log.stop()
    }
}
