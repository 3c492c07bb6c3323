/// Where our programs keep a person's things, after the XDG base directory rules.
public struct Places: Sendable {
    /// Several accounts side by side are several profiles.
    public let profile: String
    private let configuration: String
    private let state: String
    private let home: String

    public struct BadProfile: Error, Sendable, CustomStringConvertible {
        public let description: String
    }

    public init(profile: String, environment: [String: String]) throws(BadProfile) {
        let isPlain = profile.utf8.allSatisfy { byte in
            (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
                || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
                || byte == UInt8(ascii: "-")
        }
        guard isPlain, (1...64).contains(profile.utf8.count) else {
            throw BadProfile(description: "a profile's name is 1 to 64 of a-z, 0-9 and dashes")
        }
        guard let home = environment["HOME"], home.hasPrefix("/") else {
            throw BadProfile(description: "HOME is not set, so there is no place for your settings; set it")
        }
        self.profile = profile
        self.home = home
        configuration = Self.folder("XDG_CONFIG_HOME", else: home + "/.config", environment)
        state = Self.folder("XDG_STATE_HOME", else: home + "/.local/state", environment)
    }

    /// Relative values are to be ignored, say the rules.
    private static func folder(_ name: String, else standard: String, _ environment: [String: String]) -> String {
        guard let value = environment[name], value.hasPrefix("/") else { return standard }
        return value
    }

    public var credentials: String { "\(configuration)/daleks/\(profile).json" }

    /// Replica, journal and cached bytes: never a cache folder, for there is unsent work in it.
    public var stateFolder: String { "\(state)/daleks/\(profile)" }

    public var mountPoint: String { home + (profile == "default" ? "/daleks" : "/daleks-\(profile)") }

    /// Where the daemon of a state folder listens for the command line.
    public static func controlSocket(in stateFolder: String) -> String { stateFolder + "/control.sock" }
}
