import DaleksAPI
import DaleksClient
import DaleksCore
import DaleksHTTP
import DaleksJSON
import DaleksSystem

enum RemoveVerb: Verb {
    static let name = "rm"
    static let about = "Puts files into the region's trash, from which `daleks trash restore` brings them back."
    static let positionals: String? = "PATH..."
    static let options = [
        Option("recursive", .flag, help: "Folders too, with all that is in them.", short: "r"),
        Option("force", .flag, help: "What is not there is no failure.", short: "f"),
    ]
    static let examples: KeyValuePairs = [
        "daleks rm daleks:/notes.txt": "one file",
        "daleks rm -r daleks:/old ~/daleks/older": "two folders, one of them named in the mount",
    ]

    static func run(_ call: Call) throws(CommandFailure) {
        let paths = RemotePaths(call)
        var removed: [JSONValue] = []
        for text in call.settings.positionals {
            let place = try paths.place(text)
            guard let node = try place.find() else {
                if call.settings.flag("force") { continue }
                throw .failed("\(text): there is no such file or folder")
            }
            guard place.name != nil else { throw .usage("\(text) is the root; it is not removed") }
            if node.attributes.kind == .folder, !call.settings.flag("recursive") {
                throw .failed("\(text) is a folder; add -r to remove it with all that is in it")
            }
            try place.asking { () throws(ClientFailure) in try place.files.discard(node.id) }
            removed.append(.object(JSONObject([("path", .string(text)), ("node", .string("\(node.id)"))])))
        }
        if call.settings.flag("json") { call.console.say(JSONObject([("removed", .array(removed))])) }
    }
}

enum MoveVerb: Verb {
    static let name = "mv"
    static let about = "Renames or moves files and folders at the region."
    static let positionals: String? = "FROM... TO"
    static let options: [Option] = []
    static let examples: KeyValuePairs = [
        "daleks mv daleks:/draft.txt daleks:/letter.txt": "renames a file",
        "daleks mv daleks:/a daleks:/b daleks:/folder/": "moves two things into a folder",
    ]

    static func run(_ call: Call) throws(CommandFailure) {
        let words = call.settings.positionals
        let last = words[words.count - 1]
        let paths = RemotePaths(call)
        let target = try paths.place(last)
        let known = try target.find()
        let isFolder = known?.attributes.kind == .folder
        if !isFolder, words.count > 2 || target.namesFolder { throw .failed("\(last) is not a folder") }
        var moved: [JSONValue] = []
        for text in words.dropLast() {
            let place = try paths.place(text)
            let node = try place.node()
            guard let name = place.name else { throw .usage("\(text) is the root; it is not moved") }
            guard place.session === target.session else {
                throw .failed("\(text) and \(last) are of two accounts; use `daleks get` and `daleks put`")
            }
            guard place.region == target.region else {
                throw .failed("\(text) and \(last) are in two regions; use `daleks get` and `daleks put`")
            }
            let spot: (folder: NodeRecord, name: Name)
            if isFolder, let known { spot = (known, name) } else { spot = try target.spot() }
            let record = try (isFolder ? target.appending(name) : target).asking { () throws(ClientFailure) in
                try place.files.change(node.id, NodeChange(name: spot.name, toParent: spot.folder.id))
            }
            moved.append(.object(JSONObject([("path", .string(text)), ("node", .string("\(record.id)"))])))
        }
        if call.settings.flag("json") { call.console.say(JSONObject([("moved", .array(moved))])) }
    }
}

enum MakeFolderVerb: Verb {
    static let name = "mkdir"
    static let about = "Makes folders at the region."
    static let positionals: String? = "PATH..."
    static let options = [
        Option("parents", .flag, help: "The folders above it too; one that is there is no failure.", short: "p")
    ]
    static let examples: KeyValuePairs = [
        "daleks mkdir daleks:/photos": "one folder",
        "daleks mkdir -p daleks:/photos/2026/may": "with those above it",
    ]

    static func run(_ call: Call) throws(CommandFailure) {
        let paths = RemotePaths(call)
        var made: [JSONValue] = []
        for text in call.settings.positionals {
            let place = try paths.place(text)
            let node = call.settings.flag("parents") ? try provide(place) : try make(place)
            made.append(.object(JSONObject([("path", .string(text)), ("node", .string("\(node.id)"))])))
        }
        if call.settings.flag("json") { call.console.say(JSONObject([("made", .array(made))])) }
    }

    private static func make(_ place: RemotePlace) throws(CommandFailure) -> NodeRecord {
        let spot = try place.spot()
        return try place.asking { () throws(ClientFailure) in
            try place.files.make(ChildRequest(name: spot.name, kind: .folder), in: spot.folder.id)
        }
    }

    /// The folder, made with those above it where it is not there.
    static func provide(_ place: RemotePlace) throws(CommandFailure) -> NodeRecord {
        if let node = try place.find() {
            guard node.attributes.kind == .folder else { throw .failed("\(place.text) is there and is not a folder") }
            return node
        }
        guard let name = place.name, let above = place.above else { throw .failed("\(place.text) has no root") }
        let folder = try provide(above)
        do throws(ClientFailure) {
            return try place.files.make(ChildRequest(name: name, kind: .folder), in: folder.id)
        } catch {
            // Somebody else may have made it between the two requests.
            guard APIError.Code.alreadyExists.explains(error) else { throw CommandFailure(error, at: place.text) }
            return try place.folder()
        }
    }
}
