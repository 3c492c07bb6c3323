import DaleksAPI
import DaleksClient
import DaleksCore
import DaleksJSON
import DaleksSystem

/// Brings a folder, or one file, back to what it was at a time: what was removed since comes back from the trash, and
/// files have the content again that they had. Nothing is lost by it: what a content takes the place of becomes a
/// version, and what a name is taken from goes to the trash. What was made since stays where it is, and what was only
/// moved stays moved.
struct FolderRewind {
    struct Step {
        enum Kind: String {
            case content, returned, stays, failed
        }

        let kind: Kind
        let path: String
        let text: String
        let node: NodeID

        var json: JSONValue {
            .object(
                JSONObject([("kind", .string(kind.rawValue)), ("path", .string(path)), ("node", .string("\(node)"))])
            )
        }
    }

    private struct Folder {
        let id: NodeID
        let path: String
    }

    private let place: RemotePlace
    private let time: Timestamp
    let isTrial: Bool
    private let tell: (Step) -> Void
    private(set) var steps: [Step] = []
    var failureCount: Int { steps.count { $0.kind == .failed } }

    /// What is not told of again: what came back, or could not.
    private var handled: Set<NodeID> = []

    init(_ place: RemotePlace, to time: Timestamp, isTrial: Bool, tell: @escaping (Step) -> Void) {
        self.place = place
        self.time = time
        self.isTrial = isTrial
        self.tell = tell
    }

    mutating func run(_ top: NodeRecord) throws(CommandFailure) {
        if top.attributes.kind == .folder {
            var files: [(node: NodeRecord, path: String)] = []
            files = try walk(top)
            // A folder that came back may have lost something before it went itself: that comes back in another round.
            while try bringBack() { if !isTrial { files = try walk(top) } }
            for file in files { try rewind(file.node, file.path) }
        } else {
            try rewind(top, place.text)
        }
    }

    // MARK: What was removed

    private var folders: [NodeID: String] = [:]

    /// All files below; `folders` becomes all folders.
    private mutating func walk(_ top: NodeRecord) throws(CommandFailure) -> [(node: NodeRecord, path: String)] {
        folders = [top.id: place.text]
        var files: [(node: NodeRecord, path: String)] = []
        var waiting = [Folder(id: top.id, path: place.text)]
        while let folder = waiting.popLast() {
            for entry in try children(of: folder) {
                let path = folder.path.hasSuffix("/") ? "\(folder.path)\(entry.name)" : "\(folder.path)/\(entry.name)"
                switch entry.node.attributes.kind {
                case .folder:
                    folders[entry.node.id] = path
                    waiting.append(Folder(id: entry.node.id, path: path))
                case .file: files.append((entry.node, path))
                default: break
                }
            }
        }
        return files
    }

    private func children(of folder: Folder) throws(CommandFailure) -> [EntryRecord] {
        var (entries, next): ([EntryRecord], Name?) = ([], nil)
        repeat {
            let page = try place.asking { () throws(ClientFailure) in
                try place.files.children(of: folder.id, after: next, limit: Limits.Wire.childrenPageCountMax)
            }
            entries += page.entries
            next = page.next
        } while next != nil
        return entries
    }

    /// True where something came back: in a folder there may be more to do, a file may have had other content.
    private mutating func bringBack() throws(CommandFailure) -> Bool {
        let items = try gone()
        for item in items {
            handled.insert(item.node.id)
            let isFolder = item.node.attributes.kind == .folder
            let path = (folders[item.parent] ?? place.text) + "/\(item.name)"
            if isTrial {
                // What lies in a folder that did not come back is looked at as if it had.
                if isFolder { folders[item.node.id] = path }
                note(.returned, item.node.id, path, "removed \(Shown.time(item.removed))")
            } else {
                try bringBack(item, path)
            }
        }
        return !items.isEmpty
    }

    /// What was there at the time, was removed since, and from a folder that is there now.
    private func gone() throws(CommandFailure) -> [TrashItem] {
        var (items, next): ([TrashItem], NodeID?) = ([], nil)
        repeat {
            let page = try place.asking { () throws(ClientFailure) in try place.files.trash(after: next) }
            items += page.items.filter { item in
                item.removed > time && item.made.map { $0 <= time } ?? true && folders[item.parent] != nil
                    && !handled.contains(item.node.id)
            }
            // The latest come first, so what follows was removed before.
            next = page.items.last.map { $0.removed > time } == true ? page.next : nil
        } while next != nil
        return items
    }

    private mutating func bringBack(_ item: TrashItem, _ path: String) throws(CommandFailure) {
        var request = TrashRestoreRequest()
        request.onConflict = try isTakenSince(item) ? .replace : .rename
        do throws(ClientFailure) {
            let entry = try place.files.restore(item.node.id, request)
            let isRenamed = entry.name != item.name
            note(
                .returned,
                item.node.id,
                isRenamed ? (folders[item.parent] ?? place.text) + "/\(entry.name)" : path,
                "removed \(Shown.time(item.removed))" + (isRenamed ? ", under another name: its own is taken" : "")
            )
        } catch {
            note(.failed, item.node.id, path, "\(error)")
        }
    }

    /// Whether the name is one of a file that was not there at the time: that one gives way, into the trash.
    private func isTakenSince(_ item: TrashItem) throws(CommandFailure) -> Bool {
        guard item.node.attributes.kind == .file else { return false }
        return try place.asking { () throws(ClientFailure) in
            guard let occupant = try place.files.child(item.name, of: item.parent), occupant.attributes.kind == .file
            else { return false }
            let list = try place.files.versions(of: occupant.id)
            return list.made.map { $0 > time } == true && !list.versions.contains { $0.superseded != nil }
        }
    }

    // MARK: Contents

    private mutating func rewind(_ file: NodeRecord, _ path: String) throws(CommandFailure) {
        let list: VersionList
        do throws(ClientFailure) { list = try place.files.versions(of: file.id) } catch {
            // Removed or hidden by somebody in this moment.
            return note(.failed, file.id, path, "\(error)")
        }
        // The first that was replaced after the time is the one that was there then, or the nearest that is kept.
        let later = list.versions.filter { version in version.superseded.map { $0 > time } ?? true }
        guard let then = later.last else { return }
        let hasOlder = later.count < list.versions.count
        if let made = list.made, made > time, !hasOlder, then.superseded == nil {
            if !handled.contains(file.id) { note(.stays, file.id, path, "made \(Shown.time(made))") }
            return
        }
        guard then.superseded != nil, try !isSame(then, file) else { return }
        guard !isTrial else { return note(.content, file.id, path, "to version \(then.content)") }
        do throws(ClientFailure) {
            _ = try place.files.restore(then.content, of: file.id, base: file.content)
            note(.content, file.id, path, "to version \(then.content); what it was until now is \(file.content)")
        } catch {
            note(.failed, file.id, path, "\(error)")
        }
    }

    /// Whether it has this content already, as after a restore: then there is nothing to do.
    private func isSame(_ version: VersionRecord, _ file: NodeRecord) throws(CommandFailure) -> Bool {
        guard version.size == file.attributes.size, file.content != 0 else { return false }
        return try place.asking { () throws(ClientFailure) in
            let then = try place.files.manifest(of: file.id, at: version.content)
            return try then == place.files.manifest(of: file.id, at: file.content)
        }
    }

    private mutating func note(_ kind: Step.Kind, _ node: NodeID, _ path: String, _ detail: String) {
        let word =
            switch kind {
            case .content: "content"
            case .returned: "back"
            case .stays: "stays"
            case .failed: "failed"
            }
        let step = Step(kind: kind, path: path, text: "\(word)\t\(path)\t\(detail)", node: node)
        steps.append(step)
        tell(step)
    }
}
