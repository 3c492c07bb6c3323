public import DaleksAPI
import DaleksCore
public import DaleksCrypto
public import DaleksService
public import DaleksSystem

/// What an operator decides about the users service.
public struct UsersSettings: ServiceConfiguration {
    public var serving: ServingSettings
    /// What tokens name as their issuer, and what links begin with. Nil: the address that is listened at.
    public var issuer: String?
    public var regions: [RegionRecord] = []
    public var keySchedule = KeySchedule()
    public var accessLifetime = Duration.seconds(600)
    public var refreshRule = RefreshRule()
    public var attemptRule = AttemptRule()
    /// Nothing that an operator needs to change: no flag sets it.
    public var oauthRule = OAuthRule()
    /// Not an operator's to weaken: no flag sets it.
    public var passwordParameters = Argon2id.Parameters.standard

    public init(stateFolder: String) { serving = ServingSettings(stateFolder: stateFolder) }

    public static let schema = SettingsSchema(
        program: "daleks-users",
        about: "Knows who people are, lets them in, and says which regions there are.",
        options: ServingSettings.options(
            port: 7401,
            stateFolder: "/var/lib/daleks-users",
            holding: "the database and the keys"
        ) + directory + tokens,
        defaultFiles: ["/etc/daleks/users.conf"]
    )

    private static let directory = [
        Option(
            "issuer",
            .text(placeholder: "URL"),
            help:
                "The URL that everybody knows this service by; tokens name it. By default it is made from the address "
                + "and the port."
        ),
        Option(
            "region",
            .text(placeholder: "CODE=URL[=NAME]"),
            help: "A region: its short name, its files service's URL, and its name for people. May be given more than "
                + "once; the first is where new users go.",
            repeats: true
        ),
    ]

    private static let tokens = [
        Option("access-lifetime", .duration, default: "10m", help: "How long an access token is good."),
        Option("session-idle", .duration, default: "60d", help: "A log-in that is not used for so long ends."),
        Option("session-lifetime", .duration, default: "365d", help: "A log-in ends after so long in any case."),
        Option("key-period", .duration, default: "1d", help: "How long a key signs before the next one does."),
        Option(
            "key-announce",
            .duration,
            default: "1h",
            help: "How long a key is published before it signs, so that everybody knows it by then."
        ),
        Option(
            "key-retire",
            .duration,
            default: "1h",
            help: "How long a key stays published after it signed last; longer than access tokens live."
        ),
    ]

    public init(_ settings: Settings) throws(SettingsError) {
        serving = try ServingSettings(settings)
        issuer = try Self.issuer(settings, serving)
        regions = try Self.regions(settings)
        try readLifetimes(settings)
    }

    private static func issuer(
        _ settings: Settings,
        _ serving: ServingSettings
    ) throws(SettingsError) -> String? {
        guard let text = settings.optionalText("issuer") else {
            guard !serving.isAnyAddress else {
                throw settings.refusing("listen", "is no address that others could use: say with --issuer which one is")
            }
            return nil
        }
        guard let url = RegionSetting.url(text) else {
            throw settings.refusing("issuer", "is not an http or https URL")
        }
        return url
    }

    private static func regions(_ settings: Settings) throws(SettingsError) -> [RegionRecord] {
        var regions: [RegionRecord] = []
        for text in settings.texts("region") {
            do throws(RegionSetting.Complaint) {
                regions.append(try RegionSetting.parse(text))
                try RegionSetting.check(regions)
            } catch {
                throw SettingsError("--region: \"\(text)\" \(error.text)")
            }
        }
        return regions
    }

    private mutating func readLifetimes(_ settings: Settings) throws(SettingsError) {
        accessLifetime = try settings.duration("access-lifetime")
        guard (.seconds(1) ... .seconds(86_400)).contains(accessLifetime) else {
            throw settings.refusing("access-lifetime", "is not within a second and a day")
        }
        refreshRule.idle = try settings.duration("session-idle")
        refreshRule.lifetime = try settings.duration("session-lifetime")
        guard refreshRule.idle >= accessLifetime else {
            throw settings.refusing("session-idle", "is shorter than an access token lives")
        }
        guard refreshRule.lifetime >= accessLifetime else {
            throw settings.refusing("session-lifetime", "is shorter than an access token lives")
        }
        keySchedule.period = try settings.duration("key-period")
        keySchedule.announce = try settings.duration("key-announce")
        keySchedule.retire = try settings.duration("key-retire")
        guard keySchedule.period >= .seconds(1) else {
            throw settings.refusing("key-period", "is shorter than a second")
        }
        guard keySchedule.announce <= keySchedule.period else {
            throw settings.refusing("key-announce", "is longer than --key-period: no key would ever be ready")
        }
        guard keySchedule.retire > accessLifetime else {
            throw settings.refusing(
                "key-retire",
                "is not longer than --access-lifetime: tokens would outlive their key"
            )
        }
        // Each key is published for as long as all three together, and the set is bounded.
        guard keySchedule.retire / keySchedule.period < Double(Limits.Users.keyCountMax / 2) else {
            throw settings.refusing(
                "key-retire",
                "is many times --key-period: too many keys would be published at once"
            )
        }
    }
}
