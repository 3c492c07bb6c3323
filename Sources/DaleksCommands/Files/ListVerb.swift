import DaleksAPI
import DaleksClient
import DaleksCore
import DaleksJSON
import DaleksSystem

enum ListVerb: Verb {
    static let name = "ls"
    static let about = "Lists a folder at the region, or one file."
    static let positionals: String? = "[PATH]"
    static let options = [Option("long", .flag, help: "Mode, size and time of each.", short: "l")]
    static let examples: KeyValuePairs = [
        "daleks ls": "your files, whether they are mounted or not",
        "daleks ls -l daleks:/photos": "a folder, with sizes and times",
    ]

    static func run(_ call: Call) throws(CommandFailure) {
        let place = try RemotePaths(call).place(call.settings.positionals.first ?? AccountPath.prefix + "/")
        let node = try place.node()
        guard node.attributes.kind == .folder else {
            // Only the root has no name, and it is a folder.
            return show(place.name.map { [EntryRecord(name: $0, node: node)] } ?? [], call)
        }
        var next: Name?
        var kept: [EntryRecord] = []
        repeat {
            let page = try place.asking { () throws(ClientFailure) in
                try place.files.children(of: node.id, after: next, limit: Limits.Wire.childrenPageCountMax)
            }
            next = page.next
            // A program wants one document; a person sees each page as it comes.
            if call.settings.flag("json") { kept += page.entries } else { show(page.entries, call) }
        } while next != nil
        if call.settings.flag("json") { show(kept, call) }
    }

    private static func show(_ entries: [EntryRecord], _ call: Call) {
        if call.settings.flag("json") {
            let list = entries.compactMap { try? JSONValue.parse($0.jsonBytes) }
            return call.console.say(JSONObject([("entries", .array(list))]))
        }
        if entries.isEmpty { return }
        let isLong = call.settings.flag("long")
        let width = isLong ? entries.map { "\($0.node.attributes.size)".count }.max() ?? 0 : 0
        let lines = entries.map { entry in isLong ? long(entry, width) : "\(entry.name)" + mark(entry.node) }
        call.console.say(lines.joined(separator: "\n"))
    }

    private static func mark(_ node: NodeRecord) -> String { node.attributes.kind == .folder ? "/" : "" }

    private static func long(_ entry: EntryRecord, _ width: Int) -> String {
        let attributes = entry.node.attributes
        let size = "\(attributes.size)"
        let target = entry.node.target.map {
            " -> " + ((try? Name($0))?.description ?? String(decoding: $0, as: UTF8.self))
        }
        return Shown.mode(attributes) + "  " + String(repeating: " ", count: max(0, width - size.count)) + size + "  "
            + Shown.time(attributes.modified) + "  \(entry.name)" + mark(entry.node) + (target ?? "")
    }
}
