import DaleksCore
import DaleksSystem
import DaleksUsers
import Glibc

/// The program from its first line to its exit code: 0 ended as asked, 1 failed, 2 was called wrongly.
enum UsersProgram {
    static func run(arguments: [String], environment: [String: String]) -> Int32 {
        // Before any other thread: they inherit what is blocked.
        let signals = SignalWaiter([SIGTERM, SIGINT, SIGHUP])
        do throws(SettingsError) {
            switch try Settings.load(UsersSettings.schema, arguments: arguments, environment: environment) {
            case .print(let text):
                say(text, to: STDOUT_FILENO)
                return 0
            case .run(let settings):
                let logger = Logger.standard(level: Logger.Level(settings.text("log-level")) ?? .notice)
                return serve(try UsersSettings(settings), signals, logger)
            }
        } catch {
            say("daleks-users: \(error.message)", to: STDERR_FILENO)
            return 2
        }
    }

    private static func serve(_ settings: UsersSettings, _ signals: SignalWaiter, _ logger: Logger) -> Int32 {
        let service: UsersService
        do throws(UsersServiceError) {
            service = try UsersService.start(settings, logger: logger)
        } catch {
            say("daleks-users: \(error)", to: STDERR_FILENO)
            return 1
        }
        // Whoever started us waits for this line, whatever the log level.
        Logger.standard(level: .notice).notice(
            "ready",
            [
                "address": settings.address, "port": service.port, "issuer": service.issuer,
                "state": settings.stateFolder,
            ]
        )
        ServiceNotifier.ready()
        while signals.wait() == SIGHUP { reload(service, logger) }
        logger.notice("stopping")
        ServiceNotifier.stopping()
        service.stop()
        return 0
    }

    private static func reload(_ service: UsersService, _ logger: Logger) {
        ServiceNotifier.reloading()
        do throws(UsersServiceError) {
            try service.reload()
        } catch {
            logger.error("the certificate was not read again", ["error": error])
        }
        ServiceNotifier.ready()
    }

    private static func say(_ text: String, to descriptor: Int32) {
        let line = Array((text.hasSuffix("\n") ? text : text + "\n").utf8)
        _ = line.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
    }
}
