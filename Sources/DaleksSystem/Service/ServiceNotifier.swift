import Glibc

/// Tells the service manager that started us how we are (sd_notify). Where none is listening, nothing happens.
public enum ServiceNotifier {
    private static let socket = NotificationSocket(environment: Environment.current)

    /// Lines of `NAME=value`, as `sd_notify(3)` lists them.
    public static func notify(_ state: String) { socket.send(state) }

    /// The mount is there, the port is open: whoever waits for this unit may go on.
    public static func ready() { socket.send("READY=1") }

    /// One line for `systemctl status`.
    public static func status(_ text: String) { socket.sendStatus(text) }

    public static func stopping() { socket.send("STOPPING=1") }

    /// The settings are being read again; `ready` ends it.
    public static func reloading() { socket.sendReloading() }

    /// We are alive. Due more often than every `watchdogInterval`.
    public static func watchdog() { socket.send("WATCHDOG=1") }

    /// After how long a silence the manager kills us; nil when it does not watch. Ping at half of it.
    public static var watchdogInterval: Duration? {
        NotificationSocket.watchdogInterval(environment: Environment.current, processID: getpid())
    }
}
