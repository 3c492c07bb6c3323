import DaleksJSON
import DaleksSystem

enum DoctorVerb: Verb {
    static let name = "doctor"
    static let about = "Looks for what keeps the mount or the log-in from working, and says how to mend it."
    static let options = [Option("all", .flag, help: "Shows what is fine too, also where something is not.")]
    static let examples: KeyValuePairs = [
        "daleks doctor": "ends with 1 where something is broken",
        "daleks doctor --json": "for a monitor",
    ]

    static func run(_ call: Call) throws(CommandFailure) {
        let folder = try call.stateFolder()
        let machine = MachineChecks(environment: call.environment, stateFolder: folder)
        let line = LineChecks(store: try call.credentialStore(), control: ControlClient(stateFolder: folder))
        let findings = machine.run() + line.run()
        let broken = findings.filter { $0.level == .broken }
        if call.settings.flag("json") {
            call.console.say(
                JSONObject([
                    ("healthy", .bool(broken.isEmpty)), ("findings", .array(findings.map { .object($0.object) })),
                ])
            )
        } else {
            let isShort = !broken.isEmpty && !call.settings.flag("all")
            for finding in findings where !isShort || finding.level != .fine { call.console.say(finding.line) }
        }
        guard broken.isEmpty else {
            let what = Set(broken.map(\.check)).sorted().joined(separator: ", ")
            throw .failed("broken: \(what); the lines above say how to mend it")
        }
    }
}
