import Glibc

/// The variables that this process was started with.
public enum Environment {
    /// A copy. Variables that are not UTF-8 are shown repaired, which no setting of ours needs.
    public static var current: [String: String] {
        var variables: [String: String] = [:]
        guard var entry = Shim.environment() else { return variables }
        while let text = entry.pointee {
            let variable = String(cString: text)
            entry += 1
            guard let equals = variable.firstIndex(of: "=") else { continue }
            // Where a name stands twice, getenv finds the first, and so do we.
            let name = String(variable[..<equals])
            if variables[name] == nil { variables[name] = String(variable[variable.index(after: equals)...]) }
        }
        return variables
    }
}
