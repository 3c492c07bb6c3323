import DaleksCore
import DaleksSystem
import Glibc

/// A service's program from its first line to its exit code: 0 ended as asked, 1 failed, 2 was called wrongly.
///
/// SIGTERM and SIGINT drain and end it, SIGHUP reads the certificate again. Whoever started it learns that it serves
/// from the line `ready` and, as a service manager, by notification.
public enum ServiceProgram<Service: RunningService> {
    public static func run(arguments: [String], environment: [String: String]) -> Int32 {
        // Before any other thread: they inherit what is blocked.
        let signals = SignalWaiter([SIGTERM, SIGINT, SIGHUP])
        let schema = Service.Configuration.schema
        do throws(SettingsError) {
            switch try Settings.load(schema, arguments: arguments, environment: environment) {
            case .print(let text):
                say(text, to: STDOUT_FILENO)
                return 0
            case .run(let settings): return serve(try Service.Configuration(settings), signals)
            }
        } catch {
            say("\(schema.program): \(error.message)", to: STDERR_FILENO)
            return 2
        }
    }

    private static func serve(_ configuration: Service.Configuration, _ signals: SignalWaiter) -> Int32 {
        let serving = configuration.serving
        let logger = Logger.standard(level: serving.logLevel)
        let service: Service
        do throws(ServiceFailure) {
            service = try Service.start(configuration, time: .system, logger: logger)
        } catch {
            say("\(Service.Configuration.schema.program): \(error)", to: STDERR_FILENO)
            return 1
        }
        // Whatever the log level, this line comes.
        Logger.standard(level: .notice)
            .with(["address": serving.address, "port": service.port, "state": serving.stateFolder])
            .notice("ready", service.facts)
        ServiceNotifier.ready()
        while signals.wait() == SIGHUP { reload(service, logger) }
        logger.notice("stopping")
        ServiceNotifier.stopping()
        service.stop()
        return 0
    }

    private static func reload(_ service: Service, _ logger: Logger) {
        ServiceNotifier.reloading()
        do throws(ServiceFailure) {
            try service.reload()
        } catch {
            logger.error("the settings were not read again", ["error": error])
        }
        ServiceNotifier.ready()
    }

    private static func say(_ text: String, to descriptor: Int32) {
        let line = Array((text.hasSuffix("\n") ? text : text + "\n").utf8)
        _ = line.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
    }
}
