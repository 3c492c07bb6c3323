import DaleksCore
public import DaleksSystem
import Glibc

/// The program `daleks`: finds the verb, hands it its arguments, and turns what comes back into an exit code.
public enum CommandLineProgram {
    static let verbs = [
        AnyVerb(DemoVerb.self), AnyVerb(LoginVerb.self), AnyVerb(LogoutVerb.self), AnyVerb(WhoamiVerb.self),
        AnyVerb(RegionsVerb.self), AnyVerb(MountVerb.self), AnyVerb(UmountVerb.self), AnyVerb(StatusVerb.self),
        AnyVerb(SyncVerb.self), AnyVerb(PauseVerb.self), AnyVerb(ResumeVerb.self), AnyVerb(ListVerb.self),
        AnyVerb(GetVerb.self), AnyVerb(PutVerb.self), AnyVerb(MakeFolderVerb.self), AnyVerb(MoveVerb.self),
        AnyVerb(RemoveVerb.self), AnyVerb(ShareVerb.self), AnyVerb(UnshareVerb.self), AnyVerb(WhoVerb.self),
        AnyVerb(SharedVerb.self), AnyVerb(PublicVerb.self), AnyVerb(LinkVerb.self), AnyVerb(LinksVerb.self),
        AnyVerb(VersionsVerb.self), AnyVerb(RestoreVerb.self), AnyVerb(TrashVerb.self), AnyVerb(ConflictsVerb.self),
        AnyVerb(PinVerb.self), AnyVerb(UnpinVerb.self), AnyVerb(CacheVerb.self), AnyVerb(ServiceVerb.self),
        AnyVerb(TopVerb.self), AnyVerb(MetricsVerb.self), AnyVerb(DoctorVerb.self), AnyVerb(CompletionVerb.self),
        AnyVerb(ManVerb.self), AnyVerb(AdminVerb.self),
    ]

    /// 0 done, 1 failed, 2 wrong usage.
    public static func run(
        arguments: [String],
        environment: [String: String],
        console: Console = .standard,
        signals: SignalWaiter
    ) -> Int32 {
        guard let word = arguments.first, word != "--help", word != "-h", word != "help" else {
            console.say(help)
            return arguments.isEmpty ? 2 : 0
        }
        if word == "--version" {
            console.say("daleks \(Version.current)")
            return 0
        }
        guard let verb = verbs.first(where: { $0.name == word }) else {
            let what = word.hasPrefix("-") ? "is not an option here: a command comes first" : "is not a command"
            console.complain("daleks: \(word) \(what); `daleks --help` lists them")
            return 2
        }
        return run(verb, Array(arguments.dropFirst()), environment, console, signals)
    }

    private static func run(
        _ verb: AnyVerb,
        _ arguments: [String],
        _ environment: [String: String],
        _ console: Console,
        _ signals: SignalWaiter
    ) -> Int32 {
        let settings: Settings
        do throws(SettingsError) {
            switch try Settings.load(verb.schema, arguments: arguments, environment: environment) {
            case .print(let text):
                console.say(text)
                return 0
            case .run(let loaded): settings = loaded
            }
        } catch {
            console.complain("daleks \(verb.name): \(error.message)")
            return 2
        }
        let interruption = Interruption()
        if !verb.takesSignals { interruption.watch(signals) }
        let call = Call(
            settings: settings,
            console: console,
            environment: environment,
            signals: signals,
            interruption: interruption
        )
        do throws(CommandFailure) {
            try verb.run(call)
            return 0
        } catch {
            // What was interrupted tidied up, and has nothing to complain of.
            if let signal = interruption.signal {
                if case .interrupted(let words) = error, !words.isEmpty {
                    console.complain("daleks \(verb.name): \(words)")
                }
                Interruption.end(by: signal)
            }
            switch error {
            case .failed(let reason), .interrupted(let reason):
                console.complain("daleks \(verb.name): \(reason)")
                return 1
            case .usage(let reason):
                console.complain("daleks \(verb.name): \(reason)")
                return 2
            }
        }
    }

    static var help: String {
        let width = verbs.map(\.name.utf8.count).max() ?? 0
        let indent = String(repeating: " ", count: width + 4)
        let lines = verbs.map { verb in
            let about = SettingsSchema.wrapped(verb.about, indent: indent).joined(separator: "\n").dropFirst(width + 4)
            return "  \(verb.name)\(String(repeating: " ", count: width - verb.name.utf8.count))  \(about)"
        }
        return """
            Daleks: a cloud folder that behaves like a local disk.

            Usage: daleks COMMAND [options]

            \(lines.joined(separator: "\n"))

            `daleks COMMAND --help` tells more about each.
            """
    }
}
