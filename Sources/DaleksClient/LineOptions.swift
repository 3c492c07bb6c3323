import DaleksCore
public import DaleksHTTPClient
public import DaleksSystem

/// How fast a program may send and receive, as it is told on command lines and in settings.
public enum LineOptions {
    public static let names = (up: "upload-limit", down: "download-limit")

    /// With the default that a mount has, or without one where nothing said is nothing changed.
    public static func options(defaults: String?) -> [Option] {
        [
            Option(
                names.up,
                .bytes,
                default: defaults,
                help: "Sends at most so many bytes a second, such as 500KiB; 0 is as many as the line takes. What is "
                    + "small goes ahead of what is large."
            ),
            Option(names.down, .bytes, default: defaults, help: "The same for what is received."),
        ]
    }

    /// Nil is no limit.
    public static func rate(_ name: String, _ settings: Settings) throws(SettingsError) -> Int64? {
        let rate = try settings.bytes(name)
        guard rate == 0 || rate >= Limits.HTTPClient.limitRateMin else {
            throw settings.refusing(name, "is too slow for servers to wait for; 16KiB is the least, and 0 is no limit")
        }
        return rate == 0 ? nil : rate
    }

    public static func limits(_ settings: Settings) throws(SettingsError) -> LineLimits {
        LineLimits(
            up: LineLimit(bytesPerSecond: try rate(names.up, settings)),
            down: LineLimit(bytesPerSecond: try rate(names.down, settings))
        )
    }
}
