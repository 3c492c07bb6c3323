import DaleksAPI
import DaleksClient
import DaleksCore
import DaleksJSON
import DaleksSystem

enum VersionsVerb: Verb {
    static let name = "versions"
    static let about = "Lists what a file was before, the present content first."
    static let positionals: String? = "PATH"
    static let options: [Option] = []
    static let examples: KeyValuePairs = [
        "daleks versions ~/daleks/letter.txt": "number, size and time of each",
        "daleks get --content 42 daleks:/letter.txt -": "shows one of them",
    ]

    static func run(_ call: Call) throws(CommandFailure) {
        let place = try RemotePaths(call).place(call.settings.positionals[0])
        let node = try place.node()
        guard node.attributes.kind == .file else {
            throw .failed("\(place.text) is not a file; only files have versions")
        }
        let versions = try place.asking { () throws(ClientFailure) in try place.files.versions(of: node.id).versions }
        if call.settings.flag("json") {
            return call.console.say(
                JSONObject([
                    ("node", .string("\(node.id)")), ("versions", .array(versions.map { .of($0) })),
                ])
            )
        }
        let names = People(session: place.session).names(of: versions.compactMap(\.author))
        for version in versions {
            var line = "\(version.content)\t\(Shown.bytes(version.size))\t\(Shown.time(version.modified))"
            line += "\t" + (version.author.map { names[$0] ?? "\($0)" } ?? "")
            if version.superseded == nil { line += "\tpresent" }
            if let label = version.label { line += "\t\(label)" }
            if version.isPinned { line += "\tpinned" }
            call.console.say(line)
        }
    }
}

enum TrashVerb: Verb {
    static let name = "trash"
    static let about = "Lists what was removed, brings it back, or lets go of it for good."
    static let positionals: String? = "[ls|restore|empty] [ITEM...]"
    static let words = ["ls", "restore", "empty"]
    static let options = [
        Option("to", .text(placeholder: "PATH"), help: "With restore: another place than where it was."),
        Option(
            "on-conflict",
            .choice(TrashRestoreRequest.ConflictRule.allCases.map(\.rawValue)),
            default: "fail",
            help: "With restore, where the name is taken: fail, come back under another name, or replace what has it."
        ),
        Option("yes", .flag, help: "With empty: asks nothing.", short: "y"),
    ]
    static let examples: KeyValuePairs = [
        "daleks trash": "what is in it, what was removed last first",
        "daleks trash restore letter.txt": "by name, where only one has it, or by id",
        "daleks trash restore letter.txt --to daleks:/letters/": "elsewhere",
        "daleks trash empty --yes": "all of it is gone for good",
    ]

    static func run(_ call: Call) throws(CommandFailure) {
        let words = call.settings.positionals
        let paths = RemotePaths(call)
        switch words.first {
        case "ls", nil:
            guard words.count < 2 else { throw .usage("`trash ls` takes nothing more") }
            try list(try items(paths), paths, call)
        case "restore": try restore(words.dropFirst(), paths, call)
        case "empty": try empty(words.dropFirst(), paths, call)
        case let word?: throw .usage("\(word) is not one of ls, restore and empty")
        }
    }

    private static func items(_ paths: RemotePaths) throws(CommandFailure) -> [TrashItem] {
        let files = try paths.own().files
        var (items, next): ([TrashItem], NodeID?) = ([], nil)
        repeat {
            do throws(ClientFailure) {
                let page = try files.trash(after: next)
                items += page.items
                next = page.next
            } catch { throw CommandFailure(error) }
        } while next != nil
        return items
    }

    private static func list(_ items: [TrashItem], _ paths: RemotePaths, _ call: Call) throws(CommandFailure) {
        if call.settings.flag("json") {
            return call.console.say(JSONObject([("items", .array(items.map { .of($0) }))]))
        }
        for item in items {
            let name = "\(item.name)" + (item.node.attributes.kind == .folder ? "/" : "")
            let size = Shown.bytes(item.node.attributes.size)
            call.console.say("\(item.node.id)\t\(Shown.time(item.removed))\t\(size)\t\(name)")
        }
    }

    private static func restore(
        _ words: ArraySlice<String>,
        _ paths: RemotePaths,
        _ call: Call
    ) throws(CommandFailure) {
        guard !words.isEmpty else { throw .usage("say what to bring back: a name or an id that `daleks trash` lists") }
        let all = try items(paths)
        let files = try paths.own().files
        var request = TrashRestoreRequest()
        request.onConflict = .init(rawValue: call.settings.text("on-conflict")) ?? .fail
        if let text = call.settings.optionalText("to") {
            let place = try paths.place(text)
            if let node = try place.find(), node.attributes.kind == .folder {
                request.toParent = node.id
            } else {
                guard words.count == 1 else { throw .failed("\(text) is not a folder") }
                let spot = try place.spot()
                (request.toParent, request.toName) = (spot.folder.id, spot.name)
            }
        }
        var restored: [JSONValue] = []
        for word in words {
            let item = try find(word, in: all)
            do throws(ClientFailure) {
                let entry = try files.restore(item.node.id, request)
                restored.append(.of(entry))
                let path = (try? files.path(of: entry.node.id)) ?? "\(entry.name)"
                if !call.settings.flag("json") { call.console.say("Brought back \(path)") }
            } catch {
                if error.code == "already_exists" {
                    throw .failed("\(item.name): something has this name now; add --on-conflict rename, or --to PATH")
                }
                throw CommandFailure(error, at: "\(item.name)")
            }
        }
        if call.settings.flag("json") { call.console.say(JSONObject([("restored", .array(restored))])) }
    }

    private static func find(_ word: String, in items: [TrashItem]) throws(CommandFailure) -> TrashItem {
        if let id = NodeID(word), let item = items.first(where: { $0.node.id == id }) { return item }
        let named = items.filter { "\($0.name)" == word }
        guard let first = named.first else {
            throw .failed("\(word) is not in the trash; `daleks trash` lists what is")
        }
        guard named.count == 1 else {
            throw .failed(
                "\(named.count) things called \(word) are in the trash; say which by its id, from `daleks trash`"
            )
        }
        return first
    }

    private static func empty(
        _ words: ArraySlice<String>,
        _ paths: RemotePaths,
        _ call: Call
    ) throws(CommandFailure) {
        let all = try items(paths)
        let chosen = try words.map { word throws(CommandFailure) in try find(word, in: all) }
        let count = words.isEmpty ? all.count : chosen.count
        if !call.settings.flag("yes") {
            guard call.console.isInteractive else { throw .usage("this cannot be undone; add --yes") }
            let answer = try call.console.prompt("\(count) things will be gone for good. Type yes:")
            guard answer == "yes" else { throw .failed("nothing was done") }
        }
        let files = try paths.own().files
        try call.asking { () throws(ClientFailure) in
            if words.isEmpty { try files.erase(nil) }
            for item in chosen { try files.erase(item.node.id) }
        }
        call.answer("\(count) things are gone for good.", JSONObject([("erased", .integer(Int64(count)))]))
    }
}
