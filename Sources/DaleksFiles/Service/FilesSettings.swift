import DaleksCore
public import DaleksService
public import DaleksSystem

/// What an operator decides about one region's files service.
public struct FilesSettings: ServiceConfiguration {
    public var serving: ServingSettings
    public var region: String
    /// Where the users service is; also what its tokens name as their issuer.
    public var usersURL: String
    /// A certificate authority beside the system's, for the users service.
    public var usersCAFile: String?
    /// What tokens for this region name as their audience. Nil: the address that is listened at.
    public var publicURL: String?
    public var bytesQuota: Int64 = 100 << 30
    /// Good once: makes this region known to the users service, which then tells it of revocations.
    public var enrolToken: String?
    public var trashKept = Limits.Files.trashKept
    public var storage = StorageSettings()
    /// How long removed files and replaced contents stay readable for those who have them open.
    public var removedGrace = Duration.seconds(86_400)
    /// How long what a deleted user owned stays at least, after this region heard of it.
    public var deletedKept = Duration.seconds(86_400)
    public var rateLimits = RateLimits()
    public var collectInterval = Duration.seconds(600)

    public init(region: String, stateFolder: String, usersURL: String) {
        self.region = region
        serving = ServingSettings(stateFolder: stateFolder)
        self.usersURL = usersURL
    }

    public static let schema = SettingsSchema(
        program: "daleks-files",
        about: "Holds one region's files.",
        options: ServingSettings.options(
            port: 7402,
            stateFolder: "/var/lib/daleks-files",
            holding: "the database and the contents"
        ) + [
            Option(
                "region",
                .text(placeholder: "CODE"),
                default: "local",
                help: "The region's short name: lower-case letters, digits and dashes."
            ),
            Option(
                "users-url",
                .text(placeholder: "URL"),
                help: "Where the users service is; tokens of any other issuer are refused.",
                isRequired: true
            ),
            Option(
                "users-ca",
                .text(placeholder: "FILE"),
                help: "Certificates (PEM) that are trusted for the users service beside the system's."
            ),
            Option(
                "public-url",
                .text(placeholder: "URL"),
                help: "The URL that clients know this region by, as registered at the users service; tokens for any "
                    + "other audience are refused. By default it is made from the address and the port."
            ),
            Option(
                "enrol-token",
                .text(placeholder: "TOKEN"),
                help: "The one-time token of `daleks admin regions enrol`. What this region gets for it is kept in the "
                    + "state folder; later starts need no token.",
                isSecret: true
            ),
            Option(
                "keep-trash",
                .duration,
                default: "30d",
                help: "How long what users removed can be brought back."
            ),
            Option("quota", .bytes, default: "100GiB", help: "Bytes of content that each user may store."),
            Option(
                "keep-removed",
                .duration,
                default: "1d",
                help: "How long removed files and replaced contents stay, so that who has them open can go on reading."
            ),
            Option(
                "keep-deleted",
                .duration,
                default: "1d",
                help:
                    "How long the files of a user whose account was deleted stay at least, after this region heard of "
                    + "it and never shorter than the users service said; then they are erased."
            ),
        ] + RateLimits.options + StorageSettings.options,
        defaultFiles: ["/etc/daleks/files.conf"]
    )

    public init(_ settings: Settings) throws(SettingsError) {
        serving = try ServingSettings(settings)
        storage = try StorageSettings(settings)
        region = settings.text("region")
        usersURL = try Self.url(settings, "users-url") ?? ""
        usersCAFile = settings.optionalText("users-ca")
        publicURL = try Self.url(settings, "public-url")
        bytesQuota = try settings.bytes("quota")
        enrolToken = settings.optionalText("enrol-token")
        trashKept = try settings.duration("keep-trash")
        removedGrace = try settings.duration("keep-removed")
        rateLimits = try RateLimits(settings)
        deletedKept = try settings.duration("keep-deleted")
        let isWellNamed = (1...32).contains(region.utf8.count) && region.utf8.allSatisfy(Self.isCodeByte)
        guard isWellNamed else {
            throw settings.refusing("region", "is not a short name of lower-case letters, digits and dashes")
        }
        guard removedGrace >= .seconds(60) else {
            throw settings.refusing("keep-removed", "is shorter than a minute, which an upload may take")
        }
    }

    private static func isCodeByte(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
            || byte == UInt8(ascii: "-")
    }

    /// Without its last slash, so that two ways to write one URL are one issuer or audience.
    private static func url(_ settings: Settings, _ name: String) throws(SettingsError) -> String? {
        guard var url = settings.optionalText(name) else { return nil }
        while url.hasSuffix("/") { url.removeLast() }
        let isURL = ["http://", "https://"].contains { url.hasPrefix($0) && url.utf8.count > $0.utf8.count }
        guard isURL, !url.utf8.contains(where: { $0 <= 32 }) else {
            throw settings.refusing(name, "is not an http or https URL")
        }
        return url
    }
}
