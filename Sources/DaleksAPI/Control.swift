public import DaleksJSON

/// What the command line asks a running daemon, one JSON object on one line of its control socket; the answer is
/// another.
public struct ControlRequest: Hashable, Sendable, JSONEncodable, JSONDecodable {
    public static let version: Int64 = 1

    public enum Verb: String, Sendable, CaseIterable {
        case status
        /// Waits until everything is at the region.
        case sync
        /// Drains and unmounts; the daemon ends.
        case unmount
        case pause
        case resume
        /// Changes how fast it may send and receive; the answer tells how fast that is.
        case limit
        /// What waits for a person: the answer has `disputes`.
        case conflicts
        /// What it counts and measures: the answer has `metrics`.
        case metrics
        /// What the cache holds, counted anew: the answer has `cache`.
        case cache
        /// Lets go of what the region has too: the answer has `cache`, and in it what was freed.
        case clearCache = "clear_cache"
    }

    public var verb: Verb
    /// How long to wait for the region; for `sync` and `unmount`.
    public var timeoutSeconds: Int64?
    /// With `unmount`: also where programs work in it, which hear from then on that it is gone.
    public var isForced: Bool
    /// With `limit`: bytes a second, 0 for any number; nil changes nothing.
    public var uploadLimit: Int64?
    public var downloadLimit: Int64?

    public init(
        _ verb: Verb,
        timeoutSeconds: Int64? = nil,
        isForced: Bool = false,
        uploadLimit: Int64? = nil,
        downloadLimit: Int64? = nil
    ) {
        self.verb = verb
        self.timeoutSeconds = timeoutSeconds
        self.isForced = isForced
        self.uploadLimit = uploadLimit
        self.downloadLimit = downloadLimit
    }

    public func encode(to json: inout JSONWriter) {
        json.beginObject()
        json.member("version", Self.version)
        json.member("verb", verb.rawValue)
        json.member("timeout", ifPresent: timeoutSeconds)
        if isForced { json.member("force", true) }
        json.member("upload_limit", ifPresent: uploadLimit)
        json.member("download_limit", ifPresent: downloadLimit)
        json.endObject()
    }

    public init(json: JSONValue) throws(JSONError) {
        let reader = JSONReader(json)
        let version = try reader.integer("version")
        guard version == Self.version else { throw reader.refused("version", "\(version) is not spoken here") }
        let word = try reader.string("verb")
        guard let verb = Verb(rawValue: word) else { throw reader.refused("verb", "`\(word.prefix(32))` is not known") }
        self.verb = verb
        timeoutSeconds = try reader.optionalInteger("timeout", in: 0...86_400)
        isForced = try reader.optionalBool("force") ?? false
        uploadLimit = try reader.optionalInteger("upload_limit", in: 0...(1 << 50))
        downloadLimit = try reader.optionalInteger("download_limit", in: 0...(1 << 50))
    }
}

/// What the daemon says about itself.
public struct ControlAnswer: Hashable, Sendable, JSONEncodable, JSONDecodable {
    /// Nil where all is well; else what went wrong and what to do.
    public var failure: String?
    public var mountPoint: String
    public var email: String
    public var region: String
    public var filesURL: String
    public var isConnected: Bool
    public var isLoggedOut: Bool
    public var isPaused: Bool
    /// Changes that the region does not know yet.
    public var pendingCount: Int64
    /// Why the last attempt to reach the region failed, while it does.
    public var lastFailure: String?
    public var processID: Int64
    /// How many bytes these have, at most.
    public var pendingBytes: Int64
    /// What the cache took when that was last looked at, and may take.
    public var cacheBytes: Int64
    public var cacheBytesMax: Int64
    /// Names that stand aside, and changes that the region refused: see `conflicts`.
    public var conflictCount: Int64
    public var refusedCount: Int64
    public var disputes: ControlDisputes?
    /// The file of the log-in that it works with, so that the command line speaks for the same account; nil from a
    /// daemon that is older than this.
    public var credentials: String?
    /// In the text format of Prometheus.
    public var metrics: String?
    public var cache: ControlCache?
    /// Bytes a second; nil where nothing is limited.
    public var uploadLimit: Int64?
    public var downloadLimit: Int64?

    public init(
        failure: String? = nil,
        mountPoint: String,
        email: String,
        region: String,
        filesURL: String,
        isConnected: Bool,
        isLoggedOut: Bool,
        isPaused: Bool,
        pendingCount: Int64,
        lastFailure: String?,
        processID: Int64,
        pendingBytes: Int64 = 0,
        cacheBytes: Int64 = 0,
        cacheBytesMax: Int64 = 0,
        conflictCount: Int64 = 0,
        refusedCount: Int64 = 0,
        disputes: ControlDisputes? = nil,
        credentials: String? = nil,
        metrics: String? = nil,
        cache: ControlCache? = nil,
        uploadLimit: Int64? = nil,
        downloadLimit: Int64? = nil
    ) {
        self.failure = failure
        self.mountPoint = mountPoint
        self.email = email
        self.region = region
        self.filesURL = filesURL
        self.isConnected = isConnected
        self.isLoggedOut = isLoggedOut
        self.isPaused = isPaused
        self.pendingCount = pendingCount
        self.lastFailure = lastFailure
        self.processID = processID
        self.pendingBytes = pendingBytes
        self.cacheBytes = cacheBytes
        self.cacheBytesMax = cacheBytesMax
        self.conflictCount = conflictCount
        self.refusedCount = refusedCount
        self.disputes = disputes
        self.credentials = credentials
        self.metrics = metrics
        self.cache = cache
        self.uploadLimit = uploadLimit
        self.downloadLimit = downloadLimit
    }

    public func encode(to json: inout JSONWriter) {
        json.beginObject()
        json.member("failure", ifPresent: failure)
        json.member("mount_point", mountPoint)
        json.member("email", email)
        json.member("region", region)
        json.member("files_url", filesURL)
        json.member("connected", isConnected)
        json.member("logged_out", isLoggedOut)
        json.member("paused", isPaused)
        json.member("pending", pendingCount)
        json.member("last_failure", ifPresent: lastFailure)
        json.member("process", processID)
        json.member("pending_bytes", pendingBytes)
        json.member("cache_bytes", cacheBytes)
        json.member("cache_bytes_max", cacheBytesMax)
        json.member("conflicts", conflictCount)
        json.member("refused", refusedCount)
        json.member("disputes", ifPresent: disputes)
        json.member("credentials", ifPresent: credentials)
        json.member("metrics", ifPresent: metrics)
        json.member("cache", ifPresent: cache)
        json.member("upload_limit", ifPresent: uploadLimit)
        json.member("download_limit", ifPresent: downloadLimit)
        json.endObject()
    }

    public init(json: JSONValue) throws(JSONError) {
        let reader = JSONReader(json)
        self.init(
            failure: try reader.optionalString("failure"),
            mountPoint: try reader.string("mount_point"),
            email: try reader.string("email"),
            region: try reader.string("region"),
            filesURL: try reader.string("files_url"),
            isConnected: try reader.bool("connected"),
            isLoggedOut: try reader.bool("logged_out"),
            isPaused: try reader.bool("paused"),
            pendingCount: try reader.integer("pending"),
            lastFailure: try reader.optionalString("last_failure"),
            processID: try reader.integer("process"),
            // A daemon that was started before an upgrade says less.
            pendingBytes: try reader.optionalInteger("pending_bytes") ?? 0,
            cacheBytes: try reader.optionalInteger("cache_bytes") ?? 0,
            cacheBytesMax: try reader.optionalInteger("cache_bytes_max") ?? 0,
            conflictCount: try reader.optionalInteger("conflicts") ?? 0,
            refusedCount: try reader.optionalInteger("refused") ?? 0,
            disputes: try reader.optional("disputes")?.decode(),
            credentials: try reader.optionalString("credentials"),
            metrics: try reader.optionalString("metrics"),
            cache: try reader.optional("cache")?.decode(),
            uploadLimit: try reader.optionalInteger("upload_limit"),
            downloadLimit: try reader.optionalInteger("download_limit")
        )
    }
}

/// What the cache holds.
public struct ControlCache: Hashable, Sendable, JSONEncodable, JSONDecodable {
    public var files: Int64
    public var bytes: Int64
    public var bytesMax: Int64
    /// What the region does not have yet.
    public var unsentBytes: Int64
    /// What stays when the cache is full, of what the region has.
    public var pinnedBytes: Int64
    /// What was let go of just now.
    public var freedBytes: Int64?

    public init(
        files: Int64,
        bytes: Int64,
        bytesMax: Int64,
        unsentBytes: Int64,
        pinnedBytes: Int64,
        freedBytes: Int64? = nil
    ) {
        self.files = files
        self.bytes = bytes
        self.bytesMax = bytesMax
        self.unsentBytes = unsentBytes
        self.pinnedBytes = pinnedBytes
        self.freedBytes = freedBytes
    }

    public func encode(to json: inout JSONWriter) {
        json.beginObject()
        json.member("files", files)
        json.member("bytes", bytes)
        json.member("bytes_max", bytesMax)
        json.member("unsent_bytes", unsentBytes)
        json.member("pinned_bytes", pinnedBytes)
        json.member("freed_bytes", ifPresent: freedBytes)
        json.endObject()
    }

    public init(json: JSONValue) throws(JSONError) {
        let reader = JSONReader(json)
        files = try reader.integer("files")
        bytes = try reader.integer("bytes")
        bytesMax = try reader.integer("bytes_max")
        unsentBytes = try reader.integer("unsent_bytes")
        pinnedBytes = try reader.integer("pinned_bytes")
        freedBytes = try reader.optionalInteger("freed_bytes")
    }
}

/// Frames of the control socket.
public enum ControlLimits {
    /// A path and a few words.
    public static let lineBytesMax = 16 << 10

    /// Of each kind of dispute, so many are told.
    public static let disputeCountMax = 1_000

    /// An answer: as many disputes of either kind, each with two long paths.
    public static let answerBytesMax = 32 << 20
}
