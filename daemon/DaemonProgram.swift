import DaleksAPI
import DaleksClient
import DaleksCore
import DaleksHTTPClient
import DaleksMount
import DaleksSync
import DaleksSystem
import Glibc

/// The program `daleksd`: reads what it was told, mounts, and stays in the foreground until it is asked to end.
enum DaemonProgram {
    /// Answers the exit code: 0 done, 1 failed, 2 wrong usage.
    static func run(arguments: [String], environment: [String: String]) -> Int32 {
        let settings: DaemonSettings
        do throws(SettingsError) {
            switch try Settings.load(DaemonSettings.schema, arguments: arguments, environment: environment) {
            case .print(let text):
                print(text)
                return 0
            case .run(let loaded): settings = try DaemonSettings(loaded, environment: environment)
            }
        } catch {
            complain(error.message)
            return 2
        }
        // Before any thread: see SignalWaiter.
        let signals = SignalWaiter([SIGTERM, SIGINT, SIGHUP])
        let logger = Logger.standard(level: settings.logLevel)
        do throws(Failure) {
            try Daemon(settings, logger: logger, signals: signals).run()
            return 0
        } catch {
            complain(error.description)
            return error.exitCode
        }
    }

    struct Failure: Error {
        var description: String
        var exitCode: Int32 = 1
    }

    /// One line, for a person: what happened and what to do.
    static func complain(_ message: String) {
        let line = Array("daleksd: \(message)\n".utf8)
        _ = line.withUnsafeBytes { Glibc.write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }
}
