import DaleksCore
import DaleksService
import DaleksSystem

/// Where a region keeps contents and its database.
public struct StorageSettings: Sendable {
    enum Place: Sendable {
        case local(folder: String)
        case s3(S3Address, S3Credentials.Source)
    }

    /// Nil: a folder beside the database in the state folder.
    var place: Place?
    /// Certificates (PEM) that are trusted for the storage service beside the system's.
    var caFile: String?
    /// The URL of a PostgreSQL; nil for SQLite in the state folder.
    var databaseURL: String?

    public init() {}

    static let options = [
        Option(
            "database",
            .text(placeholder: "URL"),
            help: "A PostgreSQL as postgres://user:password@host/name; by default SQLite in the state folder. Any "
                + "number of processes with one PostgreSQL and one bucket are one region.",
            isSecret: true
        ),
        Option(
            "storage",
            .text(placeholder: "PLACE"),
            help: "Where contents are kept: local:DIR or s3://BUCKET/PREFIX?endpoint=URL&region=NAME; by default the "
                + "folder chunks in the state folder."
        ),
        Option(
            "storage-access-key",
            .text(placeholder: "KEY"),
            help: "The name of the key for an S3 storage."
        ),
        Option(
            "storage-secret-key",
            .text(placeholder: "SECRET"),
            help: "The secret of that key; better given by environment or file.",
            isSecret: true
        ),
        Option(
            "storage-session-token",
            .text(placeholder: "TOKEN"),
            help: "What temporary keys come with.",
            isSecret: true
        ),
        Option(
            "storage-credentials",
            .text(placeholder: "FILE"),
            help: "A file with access_key, secret_key and session_token, one a line as name = value; it is read "
                + "again when it changed."
        ),
        Option(
            "storage-ca",
            .text(placeholder: "FILE"),
            help: "Certificates (PEM) that are trusted for an S3 storage beside the system's."
        ),
    ]

    init(_ settings: Settings) throws(SettingsError) {
        databaseURL = settings.optionalText("database")
        caFile = settings.optionalText("storage-ca")
        if let url = databaseURL, !["postgres://", "postgresql://"].contains(where: { url.hasPrefix($0) }) {
            throw settings.refusing("database", "is not a URL that begins with postgres://")
        }
        guard let text = settings.optionalText("storage") else { return }
        if text.hasPrefix("local:"), text.count > "local:".count {
            place = .local(folder: String(text.dropFirst("local:".count)))
        } else if text.hasPrefix("s3://") {
            do throws(S3Address.Refusal) {
                place = .s3(try S3Address(text), try Self.credentials(settings))
            } catch {
                throw settings.refusing("storage", error.complaint)
            }
        } else {
            throw settings.refusing("storage", "is neither local:DIR nor s3://BUCKET")
        }
    }

    private static func credentials(_ settings: Settings) throws(S3Address.Refusal) -> S3Credentials.Source {
        if let file = settings.optionalText("storage-credentials") { return .file(file) }
        guard let accessKey = settings.optionalText("storage-access-key"),
            let secretKey = settings.optionalText("storage-secret-key")
        else {
            throw S3Address.Refusal(
                complaint: "needs --storage-access-key and --storage-secret-key, or --storage-credentials"
            )
        }
        return .fixed(
            S3Credentials(
                accessKey: accessKey,
                secretKey: secretKey,
                sessionToken: settings.optionalText("storage-session-token")
            )
        )
    }
}

extension StorageSettings {
    /// Several processes may work on it at once.
    var isShared: Bool {
        guard databaseURL != nil, case .s3 = place else { return false }
        return true
    }

    /// Opens the database. `folder` is the state folder.
    /// Where contents lie in a folder of their own; nil where the region is on PostgreSQL or in a bucket, which have
    /// their own ways to be backed up.
    func localChunks(_ folder: String) -> String? {
        guard databaseURL == nil else { return nil }
        switch place ?? .local(folder: "\(folder)/chunks") {
        case .local(let path): return path
        case .s3: return nil
        }
    }

    func openStore(
        _ folder: String,
        bytesQuota: Int64,
        trashKept: Duration = Limits.Files.trashKept,
        time: TimeSource,
        logger: Logger
    ) throws(ServiceFailure) -> TreeStore {
        do {
            if let databaseURL {
                return try TreeStore(
                    postgres: databaseURL,
                    bytesQuota: bytesQuota,
                    trashKept: trashKept,
                    time: time,
                    logger: logger
                )
            }
            return try TreeStore(
                path: "\(folder)/files.db",
                bytesQuota: bytesQuota,
                trashKept: trashKept,
                time: time,
                logger: logger
            )
        } catch {
            throw ServiceFailure("the database cannot be opened: \(error)")
        }
    }

    func openChunks(_ folder: String, time: TimeSource, logger: Logger) throws(ServiceFailure) -> any ChunkStore {
        switch place ?? .local(folder: "\(folder)/chunks") {
        case .local(let folder):
            do throws(Errno) {
                return try LocalChunkStore(folder: folder)
            } catch {
                throw ServiceFailure("the contents in \(folder) cannot be used: \(error)")
            }
        case .s3(let address, let credentials):
            let client = S3Client(address, credentials: credentials, caFile: caFile, time: time, logger: logger)
            return S3ChunkStore(client, time: time, logger: logger)
        }
    }
}
