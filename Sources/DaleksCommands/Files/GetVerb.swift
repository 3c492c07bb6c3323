import DaleksAPI
import DaleksClient
import DaleksCore
import DaleksJSON
import DaleksSystem
import Glibc

enum GetVerb: Verb {
    static let name = "get"
    static let about = "Brings a file from the region here, checks it, and then puts it in its place."
    static let positionals: String? = "PATH [FILE]"
    static let options =
        [
            Option(
                "content",
                .integer(1...Int.max),
                help: "A former content: its number, as `daleks versions` tells it."
            ),
            Option("quiet", .flag, help: "Draws no progress.", short: "q"),
        ] + LineOptions.options(defaults: "0")
    static let examples: KeyValuePairs = [
        "daleks get daleks:/letter.txt": "into the folder you are in; the same again goes on where it broke off",
        "daleks get daleks:/src.tar - | tar x": "to standard output",
        "daleks get --content 42 daleks:/letter.txt old.txt": "what it was before",
    ]

    static func run(_ call: Call) throws(CommandFailure) {
        let paths = RemotePaths(call, line: try call.line())
        let words = call.settings.positionals
        let place = try paths.place(words[0])
        let node = try place.node()
        guard node.attributes.kind == .file else {
            let what = node.attributes.kind == .folder ? "a folder" : "a \(node.attributes.kind.word)"
            throw .failed("\(place.text) is \(what), and only files are got")
        }
        let source = try Wanted(call, place, node)
        let file = try target(words.dropFirst().first, place)
        let outcome =
            isStream(file)
            ? try Streaming(call, paths, place, source).run(to: file)
            : try Fetching(call, paths, place, source).run(to: file)
        guard file != "-", call.settings.flag("json") else { return }
        call.console.say(
            JSONObject([
                ("path", .string(place.text)), ("file", .string(file)), ("node", .string("\(node.id)")),
                ("content", .integer(source.content)), ("bytes", .integer(source.bytes)), ("checked", .bool(outcome)),
            ])
        )
    }

    /// As cp and scp have it: into a folder under its own name.
    private static func target(_ word: String?, _ place: RemotePlace) throws(CommandFailure) -> String {
        if let word, !Files.isDirectory(word) {
            guard !word.hasSuffix("/") else { throw .failed("\(word) is not a folder") }
            return word
        }
        guard let name = place.name?.text else { throw .usage("\(place.text): say how the file is to be called here") }
        guard let word else { return name }
        return word.hasSuffix("/") ? word + name : word + "/" + name
    }

    /// A pipe, a terminal, a device: nothing that is put in place by renaming.
    private static func isStream(_ file: String) -> Bool {
        if file == "-" { return true }
        var status = stat()
        return stat(file, &status) == 0 && status.st_mode & S_IFMT != S_IFREG
    }
}

/// Which content of a file.
struct Wanted {
    let node: NodeRecord
    let content: Revision
    let bytes: Int64

    init(_ call: Call, _ place: RemotePlace, _ node: NodeRecord) throws(CommandFailure) {
        self.node = node
        guard let text = call.settings.optionalText("content"), let content = Revision(text) else {
            (content, bytes) = (node.content, node.attributes.size)
            return
        }
        let versions = try place.asking { () throws(ClientFailure) in try place.files.versions(of: node.id).versions }
        guard let version = versions.first(where: { $0.content == content }) else {
            throw .failed("\(place.text) has no content \(text); `daleks versions` lists those that are kept")
        }
        (self.content, bytes) = (content, version.size)
    }
}

/// A file that is written as it comes.
private struct Streaming {
    let call: Call
    let paths: RemotePaths
    let place: RemotePlace
    let source: Wanted

    init(_ call: Call, _ paths: RemotePaths, _ place: RemotePlace, _ source: Wanted) {
        (self.call, self.paths, self.place, self.source) = (call, paths, place, source)
    }

    func run(to file: String) throws(CommandFailure) -> Bool {
        let output: OpenOutput
        do throws(Errno) { output = try OpenOutput(file) } catch {
            throw .failed("\(file) cannot be written: \(error)")
        }
        let progress = Progress(call, place.text, bytes: source.bytes)
        defer { progress.end() }
        let session = place.session
        let download = Download(place.files, node: source.node.id, content: source.content, bytes: source.bytes)
        return try paths.interruptible { () throws(CommandFailure) in
            do throws(TransferFailure) {
                return try download.run(
                    patience: Patience(until: session.end),
                    to: { bytes throws(Errno) in try output.write(bytes) },
                    progress: { progress.update($0) }
                )
            } catch {
                throw CommandFailure(error, place, file == "-" ? "standard output" : file)
            }
        }
    }
}

/// A file that gets its name once all of it is here and was checked.
private struct Fetching {
    let call: Call
    let paths: RemotePaths
    let place: RemotePlace
    let source: Wanted

    init(_ call: Call, _ paths: RemotePaths, _ place: RemotePlace, _ source: Wanted) {
        (self.call, self.paths, self.place, self.source) = (call, paths, place, source)
    }

    func run(to file: String) throws(CommandFailure) -> Bool {
        let session = place.session
        let download = Download(place.files, node: source.node.id, content: source.content, bytes: source.bytes)
        let part: PartFile
        do throws(Errno) {
            part = try PartFile(for: file, mark: "\(source.node.id)-\(source.content)", bytes: source.bytes)
            try part.read { download.resume(with: $0) }
        } catch {
            throw error == .tryAgain
                ? .failed("\(file) is being got already; wait for the other to end")
                : .failed("\(file) cannot be written: \(error)")
        }
        let progress = Progress(call, place.text, bytes: source.bytes)
        defer { progress.end() }
        progress.update(download.received)
        do throws(CommandFailure) {
            let isChecked = try paths.interruptible { () throws(CommandFailure) in
                do throws(TransferFailure) {
                    return try download.run(
                        patience: Patience(until: session.end),
                        to: { bytes throws(Errno) in try part.append(bytes) },
                        progress: { progress.update($0) }
                    )
                } catch {
                    if case .corrupt = error { part.discard() }
                    throw CommandFailure(error, place, file)
                }
            }
            do throws(Errno) { try part.finish(like: source.node.attributes) } catch {
                throw .failed("\(file) cannot be written: \(error)")
            }
            return isChecked
        } catch {
            part.keepIfWorthIt()
            throw error
        }
    }
}

extension CommandFailure {
    fileprivate init(_ failure: TransferFailure, _ place: RemotePlace, _ file: String) {
        switch failure {
        case .service(.canceled): self = .interrupted("interrupted; the same command goes on where it was")
        case .service(let failure): self = CommandFailure(failure, at: place.text)
        case .local(let errno): self = .failed("\(file) cannot be written: \(errno)")
        case .corrupt, .shrunk: self = .failed("\(place.text) did not arrive as the region has it; get it again")
        }
    }
}
