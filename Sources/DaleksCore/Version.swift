/// What `--version`, the user agent and the server header say.
public enum Version {
    public static let current = "0.1.0"
}
