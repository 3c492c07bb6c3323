import DaleksAPI
import DaleksClient
import DaleksCore
import DaleksJSON
import DaleksSystem

enum RestoreVerb: Verb {
    static let name = "restore"
    static let about = "Makes a former content the present one: of one file, or of all that was in a folder."
    static let positionals: String? = "PATH[@N]"
    static let options = [
        Option(
            "at",
            .text(placeholder: "TIME"),
            help:
                "As it was then: a while ago such as 2h or 3d, or 2027-01-31 16:40 in this machine's time (UTC with Z)."
        ),
        Option("dry-run", .flag, help: "With --at: only tells what it would do.", short: "n"),
    ]
    static let examples: KeyValuePairs = [
        "daleks restore ~/daleks/letter.txt@42": "42 is a number that `daleks versions` lists",
        "daleks restore ~/daleks/thesis --at 2h --dry-run": "tells what changed or went since",
        "daleks restore ~/daleks/thesis --at '2026-11-29 16:40'":
            "brings back contents and what was removed; what was made since stays",
    ]

    static func run(_ call: Call) throws(CommandFailure) {
        let text = call.settings.positionals[0]
        guard let at = call.settings.optionalText("at") else {
            guard !call.settings.flag("dry-run") else { throw .usage("--dry-run goes with --at TIME") }
            return try restoreOne(text, call)
        }
        let now = TimeSource.system.wall
        guard let time = Moment.past(at, before: now) else {
            throw .usage("--at: \(at) is neither a while ago such as 2h or 3d, nor a time such as 2026-11-29 16:40")
        }
        guard time < now else { throw .usage("--at: \(at) is to come") }
        let paths = RemotePaths(call)
        let place = try paths.place(text)
        let top = try place.node()
        var rewind = FolderRewind(place, to: time, isTrial: call.settings.flag("dry-run")) { step in
            if !call.settings.flag("json") { call.console.say(step.text) }
        }
        try paths.interruptible { () throws(CommandFailure) in try rewind.run(top) }
        let verb = rewind.isTrial ? "would be" : "are"
        let shown = Shown.time(time)
        let count = rewind.steps.count { $0.kind != .stays }
        let what = count == 0 ? "Nothing in \(text) is otherwise than at \(shown)" : "\(count) \(verb) as at \(shown)"
        call.answer(
            what + ".",
            JSONObject([
                ("at", .integer(time.nanoseconds)), ("dry_run", .bool(rewind.isTrial)),
                ("steps", .array(rewind.steps.map(\.json))),
            ])
        )
        guard rewind.failureCount == 0 else {
            throw .failed("\(rewind.failureCount) could not be restored; the lines above say which, and why")
        }
    }

    private static func restoreOne(_ text: String, _ call: Call) throws(CommandFailure) {
        guard let at = text.lastIndex(of: "@"), let content = Revision(text[text.index(after: at)...]), content > 0
        else {
            throw .usage("write PATH@N, where N is a number that `daleks versions PATH` lists, or PATH --at TIME")
        }
        let place = try RemotePaths(call).place(String(text[..<at]))
        let node = try place.node()
        do throws(ClientFailure) {
            let restored = try place.files.restore(content, of: node.id, base: node.content)
            call.answer(
                "\(place.text) is as it was in \(content); what it was until now is version \(node.content).",
                JSONObject([("node", .of(restored))])
            )
        } catch {
            if error.code == "not_found" {
                throw .failed("\(place.text) has no version \(content); `daleks versions` lists those that are kept")
            }
            throw CommandFailure(error, at: place.text)
        }
    }
}
