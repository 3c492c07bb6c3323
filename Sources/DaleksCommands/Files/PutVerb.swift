import DaleksAPI
import DaleksClient
import DaleksCore
import DaleksJSON
import DaleksSystem
import Glibc

enum PutVerb: Verb {
    static let name = "put"
    static let about = "Brings files to the region. Nothing shows there before all of a file has arrived."
    static let positionals: String? = "FILE... PATH"
    static let options =
        [
            Option("preserve", .flag, help: "Keeps the file's mode and time.", short: "p"),
            Option("parents", .flag, help: "Makes the folders above PATH that are missing."),
            Option("quiet", .flag, help: "Draws no progress.", short: "q"),
        ] + LineOptions.options(defaults: "0")
    static let examples: KeyValuePairs = [
        "daleks put letter.txt daleks:/": "under its own name",
        "daleks put *.jpg daleks:/photos/": "several into a folder",
        "tar c src | daleks put - daleks:/src.tar": "what a program writes",
        "daleks put film.mp4 daleks:/": "once more after it broke off: goes on where it was",
    ]

    static func run(_ call: Call) throws(CommandFailure) {
        let words = call.settings.positionals
        let last = words[words.count - 1]
        let paths = RemotePaths(call, line: try call.line())
        let target = try paths.place(last)
        if call.settings.flag("parents") {
            _ = try MakeFolderVerb.provide(target.namesFolder || words.count > 2 ? target : target.above ?? target)
        }
        let known = try target.find()
        let isFolder = known?.attributes.kind == .folder
        if !isFolder, words.count > 2 || target.namesFolder {
            throw .failed("\(last) is not a folder; make it with `daleks mkdir -p`")
        }
        var put: [JSONValue] = []
        for file in words.dropLast() {
            let spot: (folder: NodeRecord, name: Name)
            if isFolder, let known {
                spot = (known, try ownName(file))
            } else {
                spot = try target.spot()
            }
            let shown = isFolder ? target.appending(spot.name) : target
            let sent = try Sending(call, paths, file, shown, spot).run()
            put.append(
                .object(
                    JSONObject([
                        ("file", .string(file)), ("path", .string(shown.text)), ("node", .string("\(sent.node)")),
                        ("bytes", .integer(sent.bytes)), ("resumed_at", .integer(sent.resumedAt)),
                    ])
                )
            )
        }
        if call.settings.flag("json") { call.console.say(JSONObject([("put", .array(put))])) }
    }

    private static func ownName(_ file: String) throws(CommandFailure) -> Name {
        guard file != "-" else { throw .usage("standard input has no name; write one behind the folder") }
        guard let last = file.split(separator: "/").last, let name = try? Name(last) else {
            throw .usage("\(file) has no name of its own; write one behind the folder")
        }
        return name
    }
}

/// One file on its way to the region.
private struct Sending {
    let call: Call
    let paths: RemotePaths
    let file: String
    let place: RemotePlace
    let spot: (folder: NodeRecord, name: Name)

    init(
        _ call: Call,
        _ paths: RemotePaths,
        _ file: String,
        _ place: RemotePlace,
        _ spot: (folder: NodeRecord, name: Name)
    ) {
        self.call = call
        self.paths = paths
        self.file = file
        self.place = place
        self.spot = spot
    }

    private var isInput: Bool { file == "-" }

    func run() throws(CommandFailure) -> (node: NodeID, bytes: Int64, resumedAt: Int64) {
        var source: OpenInput
        let status: stat
        do throws(Errno) {
            source = try OpenInput(file)
            status = try source.status()
        } catch {
            throw .failed("\(file) cannot be read: \(error)")
        }
        if status.st_mode & S_IFMT == S_IFDIR { throw .failed("\(file) is a folder; name the files in it") }
        let isPlain = status.st_mode & S_IFMT == S_IFREG && !isInput
        let size = isPlain ? Int64(status.st_size) : nil
        let progress = Progress(call, place.text, bytes: size)
        defer { progress.end() }
        let session = place.session
        var upload = Upload(
            place.files,
            name: spot.name,
            in: spot.folder.id,
            bytes: size,
            patience: Patience(until: session.end)
        )
        var (bytes, resumedAt): (Int64, Int64) = (0, 0)
        let node: NodeID
        let record = isPlain && Int64(status.st_size) > Self.worthBytes ? self.record(status) : nil
        upload.remember = record.map { record in { mark in record.save(mark) } }
        var isPassing = false
        do throws(CommandFailure) {
            node = try paths.interruptible { () throws(CommandFailure) in
                do throws(TransferFailure) {
                    if let record, let mark = record.earlier {
                        source = try resumed(&upload, from: mark, isSameFile: record.isSameFile, source)
                        (bytes, resumedAt) = (upload.sent, upload.sent)
                        progress.update(bytes)
                    }
                    return try upload.run(
                        pull: { buffer throws(Errno) in try source.read(into: buffer, until: session.end) },
                        progress: { sent in
                            bytes = sent
                            progress.update(sent)
                        }
                    )
                } catch {
                    isPassing = record != nil && upload.sent > 0 && Self.mayPass(error)
                    throw failure(error, isKept: isPassing)
                }
            }
        } catch {
            // What the next run can go on with stays.
            if isPassing { throw error }
            record?.erase()
            if let again = try? session.again().files(of: place.region) { upload.abandon(with: again) }
            throw error
        }
        record?.erase()
        if call.settings.flag("preserve"), isPlain {
            let time = Timestamp(seconds: Int64(status.st_mtim.tv_sec), nanoseconds: Int64(status.st_mtim.tv_nsec))
            _ = try place.asking { () throws(ClientFailure) in
                try place.files.change(node, NodeChange(mode: status.st_mode & 0o777, modified: time))
            }
        }
        return (node, bytes, resumedAt)
    }

    /// Where the rest of the file is read from, once what an earlier run sent was compared; else the file from its
    /// beginning, and what that run left at the region is gone.
    private func resumed(
        _ upload: inout Upload,
        from mark: UploadMark,
        isSameFile: Bool,
        _ source: OpenInput
    ) throws(TransferFailure) -> OpenInput {
        if isSameFile {
            let end = place.session.end
            if try upload.resume(mark, pull: { buffer throws(Errno) in try source.read(into: buffer, until: end) }) {
                return source
            }
        }
        Upload.abandon(mark.location, with: place.files)
        do throws(Errno) { return try OpenInput(file) } catch { throw .local(error) }
    }

    /// More than one block: what fits into one is sent again as quickly.
    private static let worthBytes = Int64(Limits.Client.uploadBlockBytes)

    private func record(_ status: stat) -> UploadRecord? {
        guard let raw = realpath(file, nil) else { return nil }
        defer { free(raw) }
        let user = place.session.credentials.user.id
        let subject = UploadRecord.Subject(
            file: String(cString: raw),
            status: status,
            place: "\(user) \(place.files.url) \(spot.folder.id) \(Hex.encode(spot.name.bytes))"
        )
        // Without one the file is sent all the same.
        guard let folder = try? call.stateFolder() else { return nil }
        return try? UploadRecord(in: folder + "/uploads", subject)
    }

    /// It says nothing about the file or its place, so that the same may go well another time.
    private static func mayPass(_ failure: TransferFailure) -> Bool {
        switch failure {
        case .service(.canceled), .service(.unreachable), .local(.interrupted): true
        case .service, .local, .shrunk, .corrupt: false
        }
    }

    private func failure(_ failure: TransferFailure, isKept: Bool) -> CommandFailure {
        switch failure {
        case .service(.canceled), .local(.interrupted):
            .interrupted(
                isKept
                    ? "interrupted; the same command goes on where it was"
                    : "interrupted; nothing of \(file) is at the region"
            )
        case .service(let failure): CommandFailure(failure, at: place.text)
        case .local(let errno): .failed("\(isInput ? "standard input" : file) cannot be read: \(errno)")
        case .shrunk: .failed("\(file) changed while it was sent; put it again")
        case .corrupt: .failed("\(file) did not arrive as it was sent; put it again")
        }
    }
}
