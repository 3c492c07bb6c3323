import DaleksSystem

/// One word after `daleks`, what it can be told, and what it does.
protocol Verb: SendableMetatype {
    static var name: String { get }
    /// One line for the list of verbs.
    static var about: String { get }
    static var options: [Option] { get }
    /// As the usage line has them; nil where there are none.
    static var positionals: String? { get }
    /// Ways to use it: a command, and what it does.
    static var examples: KeyValuePairs<String, String> { get }
    /// What its first argument may be, where that is one of a few words.
    static var words: [String] { get }
    /// It waits for signals itself.
    static var takesSignals: Bool { get }
    static func run(_ call: Call) throws(CommandFailure)
}

extension Verb {
    static var positionals: String? { nil }
    static var words: [String] { [] }
    static var takesSignals: Bool { false }

    static var schema: SettingsSchema {
        SettingsSchema(
            program: "daleks \(name)",
            about: about,
            options: options + CommonOptions.all,
            positionals: positionals,
            examples: examples.map { SettingsSchema.Example($0.key, $0.value) }
        )
    }
}

/// A verb as a value, for the table of all of them.
struct AnyVerb: Sendable {
    let name: String
    let about: String
    let words: [String]
    let takesSignals: Bool
    private let makeSchema: @Sendable () -> SettingsSchema
    let run: @Sendable (Call) throws(CommandFailure) -> Void

    init<Word: Verb>(_ verb: Word.Type) {
        name = Word.name
        about = Word.about
        words = Word.words
        takesSignals = Word.takesSignals
        makeSchema = { Word.schema }
        run = { call throws(CommandFailure) in try Word.run(call) }
    }

    /// Made where it is asked for: `daleks --help` needs none of them.
    var schema: SettingsSchema { makeSchema() }
}

/// What every verb understands.
enum CommonOptions {
    static let all = [
        Option("json", .flag, help: "Answers with one JSON object."),
        Option("profile", .text(placeholder: "NAME"), default: "default", help: "Which log-in to work with."),
        Option(
            "credentials",
            .text(placeholder: "FILE"),
            help: "Where the log-in is kept; by default ~/.config/daleks/PROFILE.json."
        ),
        Option(
            "state",
            .text(placeholder: "DIR"),
            help: "The daemon's folder; by default ~/.local/state/daleks/PROFILE."
        ),
    ]
}

/// One use of a verb.
struct Call {
    let settings: Settings
    let console: Console
    let environment: [String: String]
    let signals: SignalWaiter
    let interruption: Interruption
}
