import DaleksCore
import DaleksSystem
import Glibc

/// A file and one that stands aside from it, in a folder of a mount. Settling is renaming and removing, as anybody can
/// by hand: the region keeps what goes in its trash.
struct ConflictPair: Hashable {
    enum Choice: String {
        case mine, theirs, both
    }

    struct Outcome {
        /// Where what was kept is now.
        let path: String
        let text: String
    }

    let folder: String
    let copy: Name
    let reading: ConflictName.Reading

    private var copyPath: String { "\(folder)/\(Self.bytes(copy))" }
    private var plainPath: String { "\(folder)/\(Self.bytes(reading.plain))" }

    /// Those that paths mean, each named by the copy or by the plain name, in the order in which they are named.
    static func all(of paths: [String]) throws(CommandFailure) -> [ConflictPair] {
        var pairs: [ConflictPair] = []
        for path in paths {
            guard let mounted = MountedPath(path) else { throw .failed("\(path) is in no mount") }
            guard let slash = mounted.path.lastIndex(of: "/"),
                let name = try? Name(mounted.path[mounted.path.index(after: slash)...])
            else { throw .failed("\(path) is no file") }
            let folder = String(mounted.path[..<slash])
            var found: [ConflictPair] = []
            if let reading = ConflictName.read(name) {
                guard access(mounted.path, F_OK) == 0 else { throw .failed("\(path): there is no such file") }
                found = [ConflictPair(folder: folder, copy: name, reading: reading)]
            } else {
                found = try besides(name, in: folder)
            }
            if found.count > 1 {
                let names = found.map { "\($0.copy)" }.joined(separator: "`, `")
                throw .failed("\(path) has several copies; name one of `\(names)`")
            }
            guard let pair = found.first else { throw .failed("\(path) has no conflict") }
            if !pairs.contains(pair) { pairs.append(pair) }
        }
        return pairs
    }

    private static func besides(_ plain: Name, in folder: String) throws(CommandFailure) -> [ConflictPair] {
        let names: [String]
        do throws(Errno) { names = try Files.entries(of: folder) } catch { throw .failed("\(folder): \(error)") }
        return names.sorted().compactMap { text in
            guard let name = try? Name(text), let reading = ConflictName.read(name), reading.plain == plain else {
                return nil
            }
            return ConflictPair(folder: folder, copy: name, reading: reading)
        }
    }

    /// Mine is what this machine wrote: the copy, where its name says so, else the other.
    func keep(_ choice: Choice, host: String) throws(CommandFailure) -> Outcome {
        let copyIsMine = reading.host == host
        switch choice {
        case .both: return try keepBoth()
        case .mine: return try copyIsMine ? keepCopy() : keepPlain()
        case .theirs: return try copyIsMine ? keepPlain() : keepCopy()
        }
    }

    private func keepCopy() throws(CommandFailure) -> Outcome {
        guard rename(copyPath, plainPath) == 0 else { throw failure("\(copy) could not take the plain name") }
        return Outcome(
            path: plainPath,
            text: "\(plainPath) is now what \(reading.host) wrote; the other is in the trash."
        )
    }

    private func keepPlain() throws(CommandFailure) -> Outcome {
        guard access(plainPath, F_OK) == 0 else {
            throw .failed("\(plainPath) is not there any more; keep the copy, or remove it yourself")
        }
        guard unlink(copyPath) == 0 else { throw failure("\(copy) could not be removed") }
        return Outcome(
            path: plainPath,
            text: "\(plainPath) stays as it is; what \(reading.host) wrote is in the trash."
        )
    }

    private func keepBoth() throws(CommandFailure) -> Outcome {
        let target = "\(folder)/\(Self.bytes(reading.settled))"
        do throws(Errno) { try Files.renameExclusively(copyPath, target) } catch {
            throw .failed("\(copy) could not become `\(reading.settled)`: \(error)")
        }
        return Outcome(path: target, text: "\(plainPath) stays; the other is \(target).")
    }

    private func failure(_ what: String) -> CommandFailure { .failed("\(what): \(Errno.last)") }

    private static func bytes(_ name: Name) -> String { String(decoding: name.bytes, as: UTF8.self) }
}
