import DaleksCore
import DaleksHTTP
import DaleksJSON
import DaleksService
import DaleksSystem

/// What an operator does to a region's state without its service: `daleks-files VERB [options]`.
///
/// What only reads runs beside the service. What changes a state folder's own database needs the folder to itself.
public enum FilesAdmin {
    public enum Verb: String, CaseIterable, Sendable {
        case fsck, scrub, gc, usage, backup, restored

        var about: String {
            switch self {
            case .fsck: "Compares what the region's tables say about each other. Explains, and changes nothing."
            case .scrub: "As fsck, and reads and proves every stored content."
            case .gc: "Gives up what nobody can ask for any more, as the service does by itself."
            case .usage: "Says how much each owner stores, and how much of the storage is garbage."
            case .backup:
                "Copies a region on SQLite and local contents into a folder, while its service runs, and proves the "
                    + "copy."
            case .restored:
                "After the database came back from a backup: tells every client so, that none takes what the backup "
                    + "forgot for deleted, and each sends again what it still has of that."
            }
        }

        /// On SQLite the folder must be free.
        fileprivate var changes: Bool { self == .gc || self == .restored }
    }

    /// The exit code: 0 done and nothing found, 1 something found or failed, 2 wrong usage.
    public static func run(
        _ verb: Verb,
        arguments: [String],
        environment: [String: String],
        say: (String) -> Void
    ) -> Int32 {
        do throws(SettingsError) {
            switch try Settings.load(schema(verb), arguments: arguments, environment: environment) {
            case .print(let text):
                say(text)
                return 0
            case .run(let settings):
                let state = settings.text("state")
                let storage = try StorageSettings(settings)
                let grace = try settings.duration("keep-removed")
                if verb == .backup {
                    guard let target = settings.optionalText("to") else {
                        throw settings.refusing("to", "must say into which folder")
                    }
                    return backUp(state, storage, to: target, isJSON: settings.flag("json"), say: say)
                }
                return run(verb, state, storage, grace, isJSON: settings.flag("json"), say: say)
            }
        } catch {
            say("daleks-files \(verb.rawValue): \(error.message)")
            return 2
        }
    }

    private static func schema(_ verb: Verb) -> SettingsSchema {
        SettingsSchema(
            program: "daleks-files \(verb.rawValue)",
            about: verb.about,
            options: [
                Option(
                    "state",
                    .text(placeholder: "DIR"),
                    default: "/var/lib/daleks-files",
                    help: "The folder of the service's database and contents."
                ),
                Option(
                    "keep-removed",
                    .duration,
                    default: "1d",
                    help: "How long ago something must have gone for gc to give it up."
                ),
                Option("json", .flag, help: "Answer as JSON."),
            ] + (verb == .backup ? [to] : []) + StorageSettings.options,
            defaultFiles: ["/etc/daleks/files.conf"],
            keysOfOthers: Set(FilesSettings.schema.options.map(\.name))
        )
    }

    private static let to = Option(
        "to",
        .text(placeholder: "DIR"),
        help: "The folder that gets the copy. What an earlier backup left there and is still right is not copied again."
    )

    private static func backUp(
        _ folder: String,
        _ storage: StorageSettings,
        to target: String,
        isJSON: Bool,
        say: (String) -> Void
    ) -> Int32 {
        do {
            guard let chunks = storage.localChunks(folder) else {
                throw ServiceFailure("PostgreSQL and buckets are backed up by their own means: see docs/backup.md")
            }
            let logger = Logger.standard(level: .error)
            let store = try storage.openStore(folder, bytesQuota: 0, time: .system, logger: logger)
            defer { store.close() }
            let report = try Backup(store, from: folder, chunks: chunks, to: target, logger: logger).run()
            say(isJSON ? report.json : report.text)
            return report.isClean ? 0 : 1
        } catch let error as APIError {
            say("daleks-files backup: \(error.detail)")
        } catch {
            say("daleks-files backup: \(error)")
        }
        return 1
    }

    private static func run(
        _ verb: Verb,
        _ folder: String,
        _ storage: StorageSettings,
        _ grace: Duration,
        isJSON: Bool,
        say: (String) -> Void
    ) -> Int32 {
        do {
            let state = verb.changes && !storage.isShared ? try StateFolder(folder, database: "files.db") : nil
            defer { state?.release() }
            let logger = Logger.standard(level: .error)
            let store = try storage.openStore(folder, bytesQuota: 0, time: .system, logger: logger)
            defer { store.close() }
            let chunks = try storage.openChunks(folder, time: .system, logger: logger)
            defer { chunks.close() }
            switch verb {
            case .fsck, .scrub:
                let report = try Fsck(store: store, chunks: chunks).run(readsContents: verb == .scrub)
                say(isJSON ? report.json : report.text)
                return report.isClean ? 0 : 1
            case .gc:
                let measures = FilesMeasures(Metrics())
                try Packer(store: store, chunks: chunks, measures: measures).pack(olderThan: .zero)
                try Collector(store: store, chunks: chunks, grace: grace, measures: measures).collect()
                try Packer(store: store, chunks: chunks, measures: measures)
                    .compact(grace: max(grace, .seconds(3_600)))
                say("done")
            case .usage: say(try usage(store, chunks, isJSON: isJSON))
            // Has no chunks to open of its own.
            case .backup: break
            case .restored: say("\(try store.raiseEpochs()) trees begin a new epoch")
            }
            return 0
        } catch let error as ServiceFailure {
            say("daleks-files \(verb.rawValue): \(error)")
        } catch let error as APIError {
            say("daleks-files \(verb.rawValue): \(error.detail)")
        } catch {
            say("daleks-files \(verb.rawValue): \(error)")
        }
        return 1
    }

    private static func usage(_ store: TreeStore, _ chunks: any ChunkStore, isJSON: Bool) throws -> String {
        let report = try Fsck(store: store, chunks: chunks).run()
        let segments = try chunks.segments()
        let room = segments.reduce(0) { $0 + $1.bytes }
        guard isJSON else {
            return """
                \(report.treeCount) trees, \(report.fileCount) files and folders, \(report.chunkCount) contents
                \(report.storedBytes) bytes stored, \(report.unusedBytes) of them named by nothing
                \(segments.count) segments of \(room) bytes in the store
                """
        }
        var writer = JSONWriter()
        writer.object { writer in
            writer.member("trees", Int64(report.treeCount))
            writer.member("nodes", Int64(report.fileCount))
            writer.member("chunks", Int64(report.chunkCount))
            writer.member("stored_bytes", report.storedBytes)
            writer.member("unused_bytes", report.unusedBytes)
            writer.member("segments", Int64(segments.count))
            writer.member("segment_bytes", room)
        }
        return String(decoding: writer.bytes, as: UTF8.self)
    }
}

extension Fsck.Report {
    var text: String {
        let lines = findings.map(\.description) + (untoldCount > 0 ? ["and \(untoldCount) more"] : [])
        let sum = "\(treeCount) trees, \(fileCount) files and folders, \(chunkCount) contents: "
        return sum + (isClean ? "nothing found" : "\(findings.count + untoldCount) findings\n")
            + lines.joined(separator: "\n")
    }

    var json: String {
        var writer = JSONWriter()
        writer.object { writer in
            writer.member("trees", Int64(treeCount))
            writer.member("nodes", Int64(fileCount))
            writer.member("chunks", Int64(chunkCount))
            writer.key("findings")
            writer.beginArray()
            for finding in findings {
                writer.object { writer in
                    writer.member("kind", finding.kind.rawValue)
                    writer.member("detail", finding.detail)
                }
            }
            writer.endArray()
            writer.member("untold", Int64(untoldCount))
        }
        return String(decoding: writer.bytes, as: UTF8.self)
    }
}
