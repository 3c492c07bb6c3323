import DaleksAPI
import DaleksCore
import DaleksJSON
import DaleksSystem
import Glibc

enum ServiceVerb: Verb {
    static let name = "service"
    static let about = "Lets systemd mount your files at log-in, and start the daemon again should it end."
    static let positionals: String? = "[status|install|enable|disable]"
    static let words = ["status", "install", "enable", "disable"]
    static let options: [Option] = []
    static let examples: KeyValuePairs = [
        "daleks service enable": "from now on, and at each log-in",
        "daleks service": "whether it is enabled and runs",
        "daleks service enable --profile work": "a second account, at ~/daleks-work",
        "daleks service disable": "unmounts, and no more at log-in",
    ]

    static func run(_ call: Call) throws(CommandFailure) {
        let unit = try UserUnit(profile: call.settings.text("profile"), environment: call.environment)
        switch call.settings.positionals.first {
        case nil, "status": break
        case "install": try unit.install()
        case "enable": try enable(unit, call)
        case "disable": try unit.systemctl(["disable", "--now", unit.name])
        case let word?: throw .usage("\(word) is not one of status, install, enable and disable")
        }
        let state = try unit.state()
        call.answer(
            state.text(of: unit.name),
            JSONObject([
                ("unit", .string(unit.name)), ("file", state.file.map { .string($0) } ?? .null),
                ("enabled", .bool(state.isEnabled)), ("active", .string(state.active)),
                ("restarts", .integer(state.restarts)),
            ])
        )
    }

    private static func enable(_ unit: UserUnit, _ call: Call) throws(CommandFailure) {
        _ = try call.credentials()
        let client = ControlClient(stateFolder: try call.stateFolder())
        if try unit.state().active != "active", let answer = try? client.ask(ControlRequest(.status)) {
            throw .failed(
                "\(answer.mountPoint) is mounted already, by a daemon that systemd did not start; run `daleks umount`, "
                    + "then this again"
            )
        }
        try unit.install()
        try unit.systemctl(["enable", "--now", unit.name])
    }
}

/// The unit of one profile under the user's own systemd.
struct UserUnit {
    struct State {
        /// Nil where there is no such unit.
        var file: String?
        var isEnabled = false
        var active = "inactive"
        var restarts: Int64 = 0

        func text(of unit: String) -> String {
            guard let file else { return "\(unit) is not installed; `daleks service enable` installs and starts it." }
            var words = [isEnabled ? "starts at log-in" : "does not start at log-in"]
            words.append(active == "active" ? "runs" : active == "failed" ? "failed" : "does not run")
            if restarts > 0 { words.append("was started again \(restarts) times") }
            var lines = ["\(unit) \(words.joined(separator: ", ")). It is \(file)."]
            if active == "failed" { lines.append("`journalctl --user -u \(unit)` says why.") }
            return lines.joined(separator: "\n")
        }
    }

    let profile: String
    private let folder: String
    private let environment: [String: String]

    var name: String { profile == "default" ? "daleks.service" : "daleks@\(profile).service" }
    /// Of the file: one for all profiles but the default one.
    private var fileName: String { profile == "default" ? "daleks.service" : "daleks@.service" }

    init(profile: String, environment: [String: String]) throws(CommandFailure) {
        self.profile = profile
        self.environment = environment
        if let configuration = environment["XDG_CONFIG_HOME"], configuration.hasPrefix("/") {
            folder = configuration + "/systemd/user"
        } else if let home = environment["HOME"], home.hasPrefix("/") {
            folder = home + "/.config/systemd/user"
        } else {
            throw .failed("HOME is not set, so nobody knows where units are; set it")
        }
    }

    /// Writes the unit where none is: a package brought its own, and one that somebody wrote is theirs.
    func install() throws(CommandFailure) {
        guard try state().file == nil else { return }
        let path = folder + "/" + fileName
        let program = DaemonLaunch.program("daleksd")
        guard !program.contains("=") else {
            throw .failed("\(program): systemd cannot start what has a `=` in its path; move it")
        }
        do throws(Errno) {
            try Files.createPrivateDirectory(folder)
            let text = Self.text(command: Self.command(program), profile: profile)
            try Files.writeAtomically(path, Array(text.utf8), mode: 0o644, durable: true)
        } catch { throw .failed("\(path) cannot be written: \(error)") }
        try systemctl(["daemon-reload"])
    }

    func state() throws(CommandFailure) -> State {
        let names = ["LoadState", "FragmentPath", "UnitFileState", "ActiveState", "NRestarts"]
        let text = try systemctl(["show", name] + names.map { "--property=\($0)" })
        var values: [String: String] = [:]
        for line in text.split(separator: "\n") {
            let parts = line.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            if parts.count == 2 { values[String(parts[0])] = String(parts[1]) }
        }
        guard values["LoadState"] != "not-found" else { return State() }
        return State(
            file: values["FragmentPath"].flatMap { $0.isEmpty ? nil : $0 },
            isEnabled: values["UnitFileState"]?.hasPrefix("enabled") == true,
            active: values["ActiveState"] ?? "inactive",
            restarts: values["NRestarts"].flatMap { Int64($0) } ?? 0
        )
    }

    @discardableResult
    func systemctl(_ words: [String]) throws(CommandFailure) -> String {
        let captured: Subprocess.Captured
        do throws(SubprocessError) {
            captured = try Subprocess.capture(
                Command("systemctl", ["--user"] + words, environment: environment),
                timeout: .seconds(120)
            )
        } catch {
            throw .failed("systemctl cannot be run (\(error)); without systemd, `daleks mount` at log-in does the same")
        }
        guard captured.ending == .exited(0) else {
            let lines = captured.errorText.split(separator: "\n")
            let reason = lines.first.map(String.init) ?? "\(captured.ending)"
            throw .failed("systemctl --user \(words.joined(separator: " ")): \(reason)")
        }
        return captured.outputText
    }

    /// Takes the path as it is. Of the program itself systemd takes no quotes, of what `env` is given it does.
    static func command(_ path: String) -> String {
        var text = ""
        for character in path {
            switch character {
            case "%": text += "%%"
            case "$": text += "$$"
            case "\"", "\\": text += "\\\(character)"
            default: text.append(character)
            }
        }
        return "/usr/bin/env \"\(text)\""
    }

    /// As the packages' units, with another place of the program.
    static func text(command: String, profile: String) -> String {
        let isDefault = profile == "default"
        return """
            # Written by `daleks service`. Options for daleksd go into a drop-in (`systemctl --user edit`).
            [Unit]
            Description=Daleks cloud folder\(isDefault ? "" : ", profile %i")
            Documentation=man:daleks(1) man:daleksd(1)
            ConditionPathExists=%E/daleks/\(isDefault ? "default" : "%i").json
            StartLimitIntervalSec=600
            StartLimitBurst=60

            [Service]
            Type=notify
            ExecStart=\(command)\(isDefault ? "" : " --profile %i")
            KillSignal=SIGTERM
            KillMode=mixed
            TimeoutStopSec=90
            Restart=on-failure
            RestartSec=2
            WatchdogSec=60
            LimitNOFILE=65536

            [Install]
            WantedBy=default.target

            """
    }
}
