import DaleksAPI
import DaleksClient
import DaleksCore
import DaleksHTTP
import DaleksHTTPClient
import DaleksSystem

/// Something at a region, as it was named on the command line.
struct RemotePlace {
    /// As it was written.
    let text: String
    let session: AccountSession
    /// The files service that it is at, and its region's short name.
    let files: FilesClient
    let region: String
    private let names: [Name]
    private let mounted: MountedPath?
    /// Where the names begin; nil where that is the root of the account's own tree.
    private let base: NodeID?

    fileprivate init(
        _ text: String,
        _ session: AccountSession,
        _ names: [Name],
        _ mounted: MountedPath? = nil,
        base: NodeID? = nil,
        region: String? = nil
    ) throws(CommandFailure) {
        self.region = region ?? session.credentials.region.code
        files = try session.files(of: self.region)
        self.base = base
        self.text = text
        self.session = session
        self.names = names
        self.mounted = mounted
    }

    /// Another in the same tree.
    private init(_ text: String, like other: RemotePlace, _ names: [Name], _ mounted: MountedPath?) {
        self.text = text
        self.names = names
        self.mounted = mounted
        (session, files, region, base) = (other.session, other.files, other.region, other.base)
    }

    /// It was written as a folder.
    var namesFolder: Bool { text.hasSuffix("/") || names.isEmpty }

    /// The last name; nil for the root.
    var name: Name? { names.last }

    /// What is there, or a failure that says that nothing is.
    func node() throws(CommandFailure) -> NodeRecord {
        if let node = try find() { return node }
        if mounted?.isOwnersFolder == true {
            throw .failed("\(text) only lists what others share; name something in it")
        }
        throw .failed("\(text): there is no such file or folder")
    }

    /// Nil where nothing is.
    func find() throws(CommandFailure) -> NodeRecord? {
        try settle()
        if let id = mounted?.node { return try node(id) }
        // Links carry no facts, and what is not there has none. In what others share no path leads to them.
        if let mounted, let name, let above {
            if mounted.isOwnersFolder { return nil }
            guard let folder = try above.find() else { return nil }
            return try asking { () throws(ClientFailure) in try files.child(name, of: folder.id) }
        }
        if let base { return try find(below: base) }
        return try asking(nilFor: [.notFound]) { () throws(ClientFailure) in try files.item(at: names) }
    }

    func folder() throws(CommandFailure) -> NodeRecord {
        let node = try node()
        guard node.attributes.kind == .folder else { throw .failed("\(text) is not a folder") }
        return node
    }

    /// The folder that it is in, or is to be in, and its name there.
    func spot() throws(CommandFailure) -> (folder: NodeRecord, name: Name) {
        guard let name, let above else { throw .usage("\(text) is the root; name something in it") }
        return (try above.folder(), name)
    }

    /// Nil for the root.
    var above: RemotePlace? {
        guard !names.isEmpty else { return nil }
        let trimmed = text.drop(while: { $0 == "/" }).split(separator: "/").dropLast().joined(separator: "/")
        let shown = text.hasPrefix("/") ? "/" + trimmed : trimmed.contains(":") ? trimmed : "daleks:/" + trimmed
        return RemotePlace(shown, like: self, names.dropLast(), mounted?.above)
    }

    /// The same place with a name more.
    func appending(_ name: Name) -> RemotePlace {
        let text = text.hasSuffix("/") ? "\(text)\(name)" : "\(text)/\(name)"
        let mounted = mounted.flatMap { mount in name.text.map { mount.appending($0) } }
        return RemotePlace(text, like: self, names + [name], mounted)
    }

    /// Runs a request about it, with its failure in the words of the command line.
    func asking<Answer>(_ question: () throws(ClientFailure) -> Answer) throws(CommandFailure) -> Answer {
        do throws(ClientFailure) { return try question() } catch { throw CommandFailure(error, at: text) }
    }

    private func asking<Answer>(
        nilFor codes: [APIError.Code],
        _ question: () throws(ClientFailure) -> Answer
    ) throws(CommandFailure) -> Answer? {
        do throws(ClientFailure) { return try question() } catch {
            if codes.contains(where: { $0.explains(error) }) { return nil }
            throw CommandFailure(error, at: text)
        }
    }

    /// One folder after the other: paths are served in the caller's own tree only.
    private func find(below base: NodeID) throws(CommandFailure) -> NodeRecord? {
        var found = try asking(nilFor: [.notFound]) { () throws(ClientFailure) in try files.node(base) }
        for name in names {
            guard let folder = found else { return nil }
            found = try asking { () throws(ClientFailure) in try files.child(name, of: folder.id) }
        }
        return found
    }

    private func node(_ id: NodeID) throws(CommandFailure) -> NodeRecord {
        guard let node = try asking(nilFor: [.notFound], { () throws(ClientFailure) in try files.node(id) }) else {
            throw .failed("\(text) is not at the region yet; `daleks status` says why")
        }
        return node
    }

    /// What was done here a moment ago is at the region before the region is asked about it.
    private func settle() throws(CommandFailure) {
        guard let mounted, mounted.isPending, let control = mounted.control else { return }
        var answer = try? control.ask(ControlRequest(.status))
        // Nothing would come of waiting.
        if answer?.isPaused == true { throw .failed("\(text) has changes that wait here: `daleks resume` sends them") }
        answer = try? control.ask(ControlRequest(.sync, timeoutSeconds: 30))
        if mounted.isPending {
            let reason = answer?.lastFailure.map { " (\($0))" } ?? ""
            throw .failed(
                "\(text) has changes that are not at the region yet\(reason); try again once `daleks sync` is done"
            )
        }
    }
}

extension MountedPath {
    var above: MountedPath? {
        guard path != mountPoint, let slash = path.lastIndex(of: "/") else { return nil }
        return MountedPath(path: String(path[..<slash]), mountPoint: mountPoint, control: control)
    }

    func appending(_ name: String) -> MountedPath {
        MountedPath(path: path + "/" + name, mountPoint: mountPoint, control: control)
    }
}

/// Finds what paths on the command line mean, each account's session made once.
final class RemotePaths {
    private let call: Call
    private let line: LineLimits
    private var sessions: [String: AccountSession] = [:]

    init(_ call: Call, line: LineLimits = LineLimits()) {
        self.call = call
        self.line = line
    }

    /// `daleks:/x` and `/x` are of the account that is logged in; what lies in a mount is of the account mounted there.
    func place(_ text: String) throws(CommandFailure) -> RemotePlace {
        if text.hasPrefix(AccountPath.prefix) {
            let names = try AccountPath.names(String(text.dropFirst(AccountPath.prefix.utf8.count)), in: text)
            return try RemotePlace(text, try own(), names)
        }
        if text.hasPrefix(AccountPath.nodePrefix) { return try placeOfNode(text) }
        if let mounted = MountedPath(text) {
            let session = try session(of: mounted)
            return try RemotePlace(text, session, try mounted.names(), mounted, region: mounted.region)
        }
        guard text.hasPrefix("/") else {
            throw .usage("\(text) is in no mount; write daleks:/\(text) for a path in your files")
        }
        return try RemotePlace(text, try own(), try AccountPath.names(text, in: text))
    }

    /// `node:ID/x`: what others share, say, which has no path in one's own tree. `node:REGION/ID/x` in another region.
    private func placeOfNode(_ text: String) throws(CommandFailure) -> RemotePlace {
        var rest = text.dropFirst(AccountPath.nodePrefix.utf8.count)
        var word = rest.prefix { $0 != "/" }
        var region: String?
        if NodeID(word) == nil, rest.count > word.count {
            region = String(word)
            rest = rest.dropFirst(word.count + 1)
            word = rest.prefix { $0 != "/" }
        }
        guard let id = NodeID(word) else {
            throw .usage("\(text): \(word) is not an id, which is 32 digits 0-9 and a-f")
        }
        let names = try AccountPath.names(String(rest.dropFirst(word.count)), in: text)
        return try RemotePlace(text, try own(), names, base: id, region: region)
    }

    /// Of the account that is logged in.
    func own() throws(CommandFailure) -> AccountSession { try session(try call.credentialStore()) }

    /// Runs what may take long; Ctrl-C ends it in order.
    func interruptible<Result>(_ body: () throws(CommandFailure) -> Result) throws(CommandFailure) -> Result {
        let sessions = Array(sessions.values)
        return try call.interruption.handling({ for session in sessions { session.shutdown() } }, body)
    }

    private func session(of mounted: MountedPath) throws(CommandFailure) -> AccountSession {
        guard call.settings.optionalText("credentials") == nil, let control = mounted.control,
            let answer = try? control.ask(ControlRequest(.status)), let path = answer.credentials
        else { return try own() }
        return try session(CredentialStore(path: path))
    }

    private func session(_ store: CredentialStore) throws(CommandFailure) -> AccountSession {
        if let session = sessions[store.path] { return session }
        let session = try AccountSession(store, line: line)
        sessions[store.path] = session
        return session
    }
}
