import DaleksAPI
import DaleksClient
import DaleksCore
import DaleksJSON
import DaleksSystem
import Glibc

enum MountVerb: Verb {
    static let name = "mount"
    static let about = "Mounts your files; by default at ~/daleks."
    static let positionals: String? = "[DIR]"

    static let options =
        [
            Option(
                "options",
                .text(placeholder: "LIST"),
                help:
                    "Mount options, separated by commas: allow_other, owners=stored, nonempty, ro, noexec, suid, dev, "
                    + "durability=TIER, osync=fsync, locks=local.",
                short: "o",
                repeats: true
            ),
            Option("foreground", .flag, help: "Stays, logs to the terminal, and ends with Ctrl-C."),
        ] + LineOptions.options(defaults: "0")

    static let examples: KeyValuePairs = [
        "daleks mount": "at ~/daleks",
        "daleks mount /srv/files -o allow_other": "elsewhere, for all users of this machine",
        "daleks mount --upload-limit 500KiB": "leaves something of the line to others",
    ]

    static func run(_ call: Call) throws(CommandFailure) {
        // A clear line before a daemon is even started.
        _ = try call.credentials()
        let mountPoint = try call.mountPoint()
        if let answer = try? ControlClient(stateFolder: try call.stateFolder()).ask(ControlRequest(.status)) {
            return try stay(answer, mountPoint, call)
        }
        var launch = DaemonLaunch(
            credentials: try call.credentialStore().path,
            stateFolder: try call.stateFolder(),
            mountPoint: mountPoint,
            options: call.settings.texts("options")
        )
        launch.line = try call.lineRates()
        if call.settings.flag("foreground") {
            throw try launch.runInstead()
        }
        let answer = try launch.startDetached()
        call.answer("Mounted at \(answer.mountPoint).", answer.object)
    }

    /// One log-in is mounted once.
    private static func stay(_ answer: ControlAnswer, _ wanted: String, _ call: Call) throws(CommandFailure) {
        let path = realpath(wanted, nil).map { path in
            defer { free(path) }
            return String(cString: path)
        }
        guard path == answer.mountPoint, !call.settings.flag("foreground") else {
            throw .failed(
                "this log-in is mounted at \(answer.mountPoint); run `daleks umount` first, or log in with "
                    + "--profile NAME to mount a second one"
            )
        }
        call.answer("\(answer.mountPoint) is mounted already.", answer.object)
    }
}

enum UmountVerb: Verb {
    static let name = "umount"
    static let about = "Sends what the region does not know yet, and takes the mount away."
    static let options = [
        Option("drain", .flag, help: "Waits for as long as sending takes (the usual bound is 30 seconds)."),
        Option("now", .flag, help: "Does not wait: what is unsent goes on at the next mount."),
        Option("force", .flag, help: "Also while programs work in it: they hear that it is gone."),
    ]

    static let examples: KeyValuePairs = [
        "daleks umount": "waits up to 30 seconds for what is unsent",
        "daleks umount --drain": "waits until all of it is sent",
    ]

    static func run(_ call: Call) throws(CommandFailure) {
        let (drain, now) = (call.settings.flag("drain"), call.settings.flag("now"))
        if drain, now { throw .usage("--drain and --now contradict each other") }
        let timeout: Int64? = now ? 0 : drain ? 86_400 : nil
        let isForced = call.settings.flag("force")
        let answer = try call.control(ControlRequest(.unmount, timeoutSeconds: timeout, isForced: isForced))
        // An unmount that left something unsent worked; it says so. One that did not happen is a failure.
        if let failure = answer.failure, failure.contains("in use") { throw .failed(failure) }
        try waitForEnd(of: answer.processID)
        call.answer(answer.failure ?? "Unmounted \(answer.mountPoint).", answer.object)
    }

    /// The daemon has unmounted; a moment later it is gone.
    private static func waitForEnd(of process: Int64) throws(CommandFailure) {
        let pause = Gate()
        for _ in 0..<500 {
            if !ProcessTable.isAlive(Int32(truncatingIfNeeded: process)) { return }
            pause.wait(timeout: .milliseconds(20))
        }
        throw .failed("unmounted, but the daemon (process \(process)) still works; see its log")
    }
}

enum StatusVerb: Verb {
    static let name = "status"
    static let about = "Tells how the mount is, or where one file's newest state is."
    static let positionals: String? = "[PATH]"
    static let options: [Option] = []

    static let examples: KeyValuePairs = [
        "daleks status": "connection, and what is not at the region yet",
        "daleks status ~/daleks/letter.txt": "one file",
    ]

    static func run(_ call: Call) throws(CommandFailure) {
        if let path = call.settings.positionals.first { return try show(path, call) }
        let answer = try call.control(ControlRequest(.status))
        call.answer(text(answer), answer.object)
    }

    private static func text(_ answer: ControlAnswer) -> String {
        var lines = ["\(answer.mountPoint): \(answer.email), region \(answer.region)"]
        if answer.isLoggedOut {
            lines.append("The log-in has ended: run `daleks login`. Changes are kept here until then.")
        } else if answer.isPaused {
            lines.append("Paused: changes are kept here until `daleks resume`.")
        } else if !answer.isConnected {
            lines.append("The region does not answer: work goes on here, and is sent when it does.")
            if let failure = answer.lastFailure { lines.append("Last failure: \(failure)") }
        }
        let bytes = answer.pendingBytes > 0 ? " (\(Shown.bytes(answer.pendingBytes)))" : ""
        lines.append(
            answer.pendingCount == 0
                ? "Everything is at the region." : "\(answer.pendingCount) changes are not at the region yet\(bytes)."
        )
        if let limits = LimitWords.status(answer) { lines.append(limits) }
        if answer.cacheBytesMax > 0 {
            let (used, most) = (Shown.bytes(answer.cacheBytes), Shown.bytes(answer.cacheBytesMax))
            lines.append("The cache holds \(used) of \(most) at most.")
        }
        let disputes = [
            answer.conflictCount > 0 ? "\(answer.conflictCount) files in conflict" : nil,
            answer.refusedCount > 0 ? "\(answer.refusedCount) changes that the region refused" : nil,
        ].compactMap { $0 }
        if !disputes.isEmpty { lines.append(disputes.joined(separator: " and ") + ": see `daleks conflicts`.") }
        return lines.joined(separator: "\n")
    }

    private static func show(_ path: String, _ call: Call) throws(CommandFailure) {
        let status: String
        do throws(Errno) {
            status = String(decoding: try Files.attribute("user.daleks.status", of: path, bytesMax: 64), as: UTF8.self)
        } catch {
            if error == .noData || error == .notSupported { throw .failed("\(path) is not in a Daleks mount") }
            throw .failed("\(path): \(error)")
        }
        call.answer("\(path): \(status)", JSONObject([("path", .string(path)), ("status", .string(status))]))
    }
}

enum SyncVerb: Verb {
    static let name = "sync"
    static let about = "Waits until everything done here is at the region."
    static let options = [
        Option("timeout", .duration, default: "1h", help: "How long to wait at most.")
    ]

    static let examples: KeyValuePairs = [
        "daleks sync && poweroff": "leaves nothing behind",
        "daleks sync --timeout 5m": "waits for five minutes at most",
    ]

    static func run(_ call: Call) throws(CommandFailure) {
        let timeout: Duration
        do throws(SettingsError) { timeout = try call.settings.duration("timeout") } catch {
            throw .usage(error.message)
        }
        let answer = try call.control(ControlRequest(.sync, timeoutSeconds: min(86_400, timeout.components.seconds)))
        if let failure = answer.failure { throw .failed("\(failure): \(answer.pendingCount) changes are left") }
        call.answer("Everything is at the region.", answer.object)
    }
}

extension ControlAnswer {
    /// For `--json`.
    var object: JSONObject {
        guard let json = try? JSONValue.parse(jsonBytes), case .object(let object) = json else { return JSONObject([]) }
        return object
    }
}
