import DaleksSystem
import DaleksTestSupport
import Glibc

/// What one worker knows of the folder it works in: every name with its bytes, as of the last system call that
/// returned. A file in whose middle the daemon died may be as before that call or as after it.
struct Manifest {
    struct File: Equatable {
        var bytes: [UInt8]
        /// What it may be too: a call on it did not return.
        var other: [UInt8]?
    }

    var files: [String: File] = [:]
    /// Names of which a call did not return: there or not.
    var uncertain: Set<String> = []

    /// What is wrong in the folder, in words; empty where all is as it was left.
    mutating func problems(in folder: String) throws -> [String] {
        var problems: [String] = []
        let names = Set(try Files.entries(of: folder))
        for name in names.subtracting(files.keys) where !uncertain.contains(name) {
            problems.append("\(name) is there again, or was never made")
        }
        for (name, file) in files.sorted(by: { $0.key < $1.key }) {
            guard names.contains(name) else {
                if !uncertain.contains(name) { problems.append("\(name) is gone") }
                continue
            }
            let bytes = try Files.readAll("\(folder)/\(name)", max: 64 << 20)
            if bytes == file.bytes || bytes == file.other { continue }
            if uncertain.contains(name) || file.other.map({ Self.isBetween(bytes, file.bytes, $0) }) ?? false {
                continue
            }
            problems.append("\(name) has \(bytes.count) bytes that nobody wrote (\(file.bytes.count) were)")
        }
        return problems
    }

    /// A call that died in the middle may have done its first part.
    private static func isBetween(_ bytes: [UInt8], _ before: [UInt8], _ after: [UInt8]) -> Bool {
        guard bytes.count >= min(before.count, after.count), bytes.count <= max(before.count, after.count) else {
            return false
        }
        return bytes.indices.allSatisfy { index in
            index < before.count && bytes[index] == before[index] || index < after.count && bytes[index] == after[index]
        }
    }

    /// What is there now is what counts from now on.
    mutating func settle(in folder: String) throws {
        files = [:]
        for name in try Files.entries(of: folder) {
            files[name] = File(bytes: try Files.readAll("\(folder)/\(name)", max: 64 << 20))
        }
        uncertain = []
    }
}
