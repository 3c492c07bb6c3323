public import DaleksAPI
import DaleksCore
public import DaleksCrypto
import DaleksHTTPClient
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
    /// What may be tried in vain for one account, and from one address, before waiting begins.
    public var attemptRule = AttemptRule()
    /// An office of many people has one address.
    public var siteAttemptRule = AttemptRule(freeCount: 100)
    /// A PostgreSQL URL; nil: SQLite in the state folder.
    public var database: String?
    /// Nil: in the state folder, beside the private keys.
    public var sealingKeyFile: String?
    public var registration = RegistrationMode.mail
    /// From one address.
    public var registrationsPerHourMax = 60
    /// Nil: files in the state folder.
    public var mail: MailRoute?
    public var mailSender = "daleks@localhost"
    /// Nothing that an operator needs to change: no flag sets it.
    public var oauthRule = OAuthRule()
    /// Not an operator's to weaken: no flag sets it.
    public var passwordParameters = Argon2id.Parameters.standard
    /// Log-ins that wait for a core, for each core. No flag sets it.
    public var waitingHashesMaxPerCore = Limits.Users.waitingHashesMaxPerCore
    /// Mails that strangers can have sent to one address, and from one of theirs, in an hour. No flag sets them.
    public var mailsPerAddressMax = Limits.Users.mailsPerAddressMax
    public var mailsPerSiteMax = Limits.Users.mailsPerSiteMax
    /// Exact look-ups by one account in an hour. No flag sets it.
    public var lookUpsPerHourMax = Limits.Users.lookUpsPerHourMax
    /// How often the outbox is looked into. No flag sets it.
    public var mailInterval = Duration.milliseconds(500)

    public init(stateFolder: String) { serving = ServingSettings(stateFolder: stateFolder) }

    public static let schema = SettingsSchema(
        program: "daleks-users",
        about: "Knows who people are, lets them in, and says which regions there are.",
        options: ServingSettings.options(
            port: 7401,
            stateFolder: "/var/lib/daleks-users",
            holding: "the database and the keys"
        ) + directory + people + tokens,
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

    private static let people = [
        Option(
            "database",
            .text(placeholder: "URL"),
            help:
                "A PostgreSQL database (postgres://…), which any number of processes may share; by default SQLite in "
                + "the state folder. Processes that share one each have a state folder of their own.",
            isSecret: true
        ),
        Option(
            "sealing-keys",
            .text(placeholder: "FILE"),
            help:
                "The keys that second factors are sealed with; made where it is not there. By default "
                + "keys/sealing.keys in the state folder. Processes that share a database need the same."
        ),
        Option(
            "registration",
            .choice(RegistrationMode.allCases.map(\.rawValue)),
            default: RegistrationMode.mail.rawValue,
            help:
                "Who may make an account: mail (whoever shows by a mailed link that it is their address), open (anyone "
                + "at once; this tells who has an account), closed (administrators only)."
        ),
        Option(
            "registrations-per-hour",
            .integer(1...1_000_000),
            default: "60",
            help: "How many may be asked for from one address."
        ),
        Option(
            "attempts-per-account",
            .integer(1...1_000),
            default: "5",
            help: "How many wrong passwords for one account are looked at before each further one has to wait: 2 "
                + "seconds, then 4, 8, up to a quarter of an hour."
        ),
        Option(
            "attempts-per-address",
            .integer(1...1_000_000),
            default: "100",
            help:
                "The same for all accounts together, from one address (IPv6: from one /64). Raise it where many people "
                + "share an address; behind a proxy name that with --trusted-proxy, or all count as one."
        ),
        Option(
            "mail-server",
            .text(placeholder: "URL"),
            help: "Where mail is handed over: smtp://HOST:PORT or smtps://HOST:PORT. By default mails are files in the "
                + "folder mail of the state folder."
        ),
        Option("mail-user", .text(placeholder: "NAME"), help: "Who we are to the mail server."),
        Option(
            "mail-password-file",
            .text(placeholder: "FILE"),
            help: "A file with the password for the mail server, in its first line."
        ),
        Option("mail-ca-file", .text(placeholder: "FILE"), help: "Certificates (PEM) to trust for the mail server."),
        Option(
            "mail-from",
            .text(placeholder: "ADDRESS"),
            default: "daleks@localhost",
            help: "Whom mails are from."
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
        database = settings.optionalText("database")
        sealingKeyFile = settings.optionalText("sealing-keys")
        registration = RegistrationMode(rawValue: settings.text("registration")) ?? .mail
        registrationsPerHourMax = try settings.integer("registrations-per-hour", in: 1...1_000_000)
        attemptRule.freeCount = try settings.integer("attempts-per-account", in: 1...1_000)
        siteAttemptRule.freeCount = try settings.integer("attempts-per-address", in: 1...1_000_000)
        try readMail(settings)
    }

    private mutating func readMail(_ settings: Settings) throws(SettingsError) {
        mailSender = settings.text("mail-from")
        guard Email(mailSender) != nil else { throw settings.refusing("mail-from", "is not an e-mail address") }
        guard let url = settings.optionalText("mail-server") else { return }
        var password: String?
        if let file = settings.optionalText("mail-password-file") {
            do throws(Errno) {
                let bytes = try Files.readAll(file, max: 4_096)
                password = String(decoding: bytes.prefix { $0 != 10 && $0 != 13 }, as: UTF8.self)
            } catch {
                throw settings.refusing("mail-password-file", "cannot be read: \(error)")
            }
        }
        let user = settings.optionalText("mail-user")
        guard (user == nil) == (password == nil) else {
            throw settings.refusing("mail-user", "belongs together with --mail-password-file: give both or neither")
        }
        let caFile = settings.optionalText("mail-ca-file")
        guard let server = MailServer(url: url, user: user, password: password, caFile: caFile) else {
            throw settings.refusing("mail-server", "is not smtp://HOST:PORT or smtps://HOST:PORT")
        }
        mail = .server(server)
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
        // Each key, of either algorithm, is published for as long as all three together, and the set is bounded.
        guard keySchedule.retire / keySchedule.period < Double(Limits.Users.keyCountMax / 4) else {
            throw settings.refusing(
                "key-retire",
                "is many times --key-period: too many keys would be published at once"
            )
        }
    }
}
