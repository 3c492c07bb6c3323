import DaleksClient
import DaleksHTTPClient
import DaleksMount
import DaleksSync
import DaleksSystem
import Glibc

/// What a user decides about one mount.
struct DaemonSettings {
    var credentialsPath: String
    var stateFolder: String
    var mountPoint: String
    /// It is where we mount unless told otherwise, so we make it.
    var isUsualMountPoint: Bool
    var mountOptions: [String]
    var connection: Int32?
    var drainTimeout: Duration
    var space: CacheSpace
    var boot: String
    /// Of everything that goes between this machine and any region.
    var line: LineLimits
    var metricsPort: UInt16?
    var logLevel: Logger.Level

    static let schema = SettingsSchema(
        program: "daleksd",
        about: "Mounts your files and keeps them and their region alike.",
        options: general + LineOptions.options(defaults: "0"),
        positionals: "[DIR]"
    )

    private static let general = [
        Option("profile", .text(placeholder: "NAME"), default: "default", help: "Which log-in to mount."),
        Option(
            "credentials",
            .text(placeholder: "FILE"),
            help: "What `daleks login` left; by default ~/.config/daleks/PROFILE.json."
        ),
        Option(
            "state",
            .text(placeholder: "DIR"),
            help: "The folder for the replica, unsent changes and cached bytes; by default "
                + "~/.local/state/daleks/PROFILE. One daemon uses it at a time."
        ),
        Option(
            "options",
            .text(placeholder: "LIST"),
            help:
                "Mount options, separated by commas: allow_other, owners=stored, nonempty, ro, noexec, suid, dev, "
                + "durability=TIER, osync=fsync, locks=local.",
            short: "o",
            repeats: true
        ),
        Option(
            "connection",
            .integer(3...1_048_576),
            help: "Serves the mount at DIR that was made already, through this open descriptor of /dev/fuse. It is "
                + "how mount.daleks mounts where only root may."
        ),
        Option(
            "drain-timeout",
            .duration,
            default: "30s",
            help: "How long to wait at the end until the region knows everything; the rest is kept for next time."
        ),
        Option(
            "cache-size",
            .bytes,
            default: "20GiB",
            help: "How much of your files may lie here; what was not used for longest goes first, and nothing that "
                + "the region does not have. What others share may take a quarter of it besides."
        ),
        Option(
            "cache-reserve",
            .bytes,
            default: "1GiB",
            help: "How much of the disk stays free for others; writes fail before it is touched."
        ),
        Option(
            "boot",
            .text(placeholder: "ID"),
            help: "What names this start of the machine; by default the kernel's own. Where a machine is restored "
                + "or moved and its kernel goes on, give each start another."
        ),
        Option(
            "metrics-port",
            .integer(1...65_535),
            help:
                "Also answers a collector on this machine, at http://127.0.0.1:PORT/metrics; "
                + "`daleks metrics` prints the same."
        ),
        Option(
            "log-level",
            .choice(Logger.Level.allCases.map { "\($0)" }),
            default: "notice",
            help: "The least important events to log."
        ),
    ]

    init(_ settings: Settings, environment: [String: String]) throws(SettingsError) {
        let places: Places
        do throws(Places.BadProfile) {
            places = try Places(profile: settings.text("profile"), environment: environment)
        } catch {
            throw settings.refusing("profile", error.description)
        }
        credentialsPath = settings.optionalText("credentials") ?? places.credentials
        stateFolder = settings.optionalText("state") ?? places.stateFolder
        mountPoint = settings.positionals.first ?? places.mountPoint
        isUsualMountPoint = mountPoint == places.mountPoint
        connection = settings.optionalText("connection").flatMap { Int32($0) }
        mountOptions = settings.texts("options")
        // Refused before anything else is looked at: a wrong word is wrong usage, whoever is logged in.
        var known = MountedAccount.Options(source: "", uid: 0, gid: 0)
        do throws(MountedAccount.UnknownOption) {
            for list in mountOptions { try known.add(list) }
        } catch {
            throw SettingsError("--options: \(error)")
        }
        drainTimeout = try settings.duration("drain-timeout")
        space = CacheSpace(
            bytesMax: try settings.bytes("cache-size"),
            reserveBytes: try settings.bytes("cache-reserve")
        )
        boot = settings.optionalText("boot") ?? MachineBoot.current
        line = try LineOptions.limits(settings)
        metricsPort = settings.optionalText("metrics-port").flatMap { UInt16($0) }
        logLevel = Logger.Level(settings.text("log-level")) ?? .notice
    }
}
