import DaleksAPI
import DaleksCore
import DaleksJSON
import DaleksSystem
import Glibc

enum ConflictsVerb: Verb {
    static let name = "conflicts"
    static let about = "Lists what machines disagreed about, and settles it."
    static let positionals: String? = "[keep] [mine|theirs|both] [PATH...]"
    static let words = ["keep"]
    static let options: [Option] = []
    static let examples: KeyValuePairs = [
        "daleks conflicts": "files that stand aside, changes that the region refused, bytes that were put aside",
        "daleks conflicts keep mine ~/daleks/letter.txt": "what this machine wrote; the other goes into the trash",
        "daleks conflicts keep both ~/daleks/letter*": "each keeps a name of its own, and is no conflict any more",
    ]

    static func run(_ call: Call) throws(CommandFailure) {
        let words = call.settings.positionals
        guard let first = words.first else { return try list(call) }
        guard first == "keep", words.count >= 3, let choice = ConflictPair.Choice(rawValue: words[1]) else {
            throw .usage("write `daleks conflicts`, or `daleks conflicts keep mine|theirs|both PATH...`")
        }
        // Two patterns of a shell name a file and its copy: one pair.
        var settled: [JSONValue] = []
        for pair in try ConflictPair.all(of: Array(words.dropFirst(2))) {
            let outcome = try pair.keep(choice, host: MachineName.current)
            if !call.settings.flag("json") { call.console.say(outcome.text) }
            settled.append(
                .object(
                    JSONObject([
                        ("path", .string(outcome.path)), ("kept", .string(choice.rawValue)),
                        ("text", .string(outcome.text)),
                    ])
                )
            )
        }
        if call.settings.flag("json") { call.console.say(JSONObject([("settled", .array(settled))])) }
    }

    private static func list(_ call: Call) throws(CommandFailure) {
        let answer = try call.control(ControlRequest(.conflicts))
        if let failure = answer.failure { throw .failed(failure) }
        let disputes = answer.disputes ?? ControlDisputes()
        call.answer(text(disputes, answer), JSONObject(disputes))
    }

    private static func text(_ disputes: ControlDisputes, _ answer: ControlAnswer) -> String {
        var lines: [String] = []
        for copy in disputes.copies {
            let time = Shown.time(Timestamp(nanoseconds: copy.modified))
            let beside = copy.plain == nil ? "nothing stands under the plain name any more" : "beside the plain name"
            lines.append("\(answer.mountPoint)/\(copy.path)")
            lines.append("    from \(copy.host), \(Shown.bytes(copy.size)), changed \(time); \(beside)")
        }
        if !disputes.copies.isEmpty { lines.append("Settle one with `daleks conflicts keep mine|theirs|both PATH`.") }
        for refusal in disputes.refusals {
            let time = Shown.time(Timestamp(nanoseconds: refusal.retryAt))
            lines.append("\(answer.mountPoint)/\(refusal.path)")
            let detail = refusal.detail.isEmpty ? "" : " (\(refusal.detail))"
            lines.append("    \(refusal.word) refused: \(cure(of: refusal.code))\(detail); tried again at \(time)")
        }
        for path in disputes.setAside {
            lines.append(path)
            lines.append(
                "    bytes from before a power cut that may not be what was written; look, then remove the file"
            )
        }
        let isMore = max(disputes.copies.count, disputes.refusals.count) >= ControlLimits.disputeCountMax
        if isMore { lines.append("There are more than these.") }
        return lines.isEmpty ? "There are no conflicts." : lines.joined(separator: "\n")
    }

    private static func cure(of code: String) -> String {
        switch code {
        case "quota_exceeded": "the account is full; remove something, or ask for more room"
        case "forbidden": "you have no right to do this there; ask the owner"
        case "base_changed", "base_gone": "the rest of the file is fetched first, to keep both"
        default: code
        }
    }
}

extension JSONObject {
    fileprivate init(_ value: some JSONEncodable) {
        guard let json = try? JSONValue.parse(value.jsonBytes), case .object(let object) = json else {
            self.init([])
            return
        }
        self = object
    }
}
