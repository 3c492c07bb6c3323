import DaleksCore
import DaleksJSON
import DaleksSystem
import Glibc

enum PinVerb: Verb {
    static let name = "pin"
    static let about = "Brings files of the mount here and keeps them, also when the cache is full or the region away."
    static let positionals: String? = "PATH..."
    static let options = [Option("quiet", .flag, help: "Draws no progress.", short: "q")]
    static let examples: KeyValuePairs = [
        "daleks pin ~/daleks/talks": "before a journey: all that is in the folder, and what comes into it"
    ]

    static func run(_ call: Call) throws(CommandFailure) {
        let found = try Pinned.all(under: call.settings.positionals)
        let progress = Progress(call, "pinning", bytes: found.bytes)
        var bytes: Int64 = 0
        for item in found.items {
            bytes += try item.pin(true) { progress.update(bytes + $0) }
        }
        progress.end()
        call.answer(
            "Pinned \(found.files) files, \(Shown.bytes(bytes)).",
            JSONObject([("files", .integer(Int64(found.files))), ("bytes", .integer(bytes))])
        )
    }
}

enum UnpinVerb: Verb {
    static let name = "unpin"
    static let about = "Lets the cache forget pinned files again, when it needs the room."
    static let positionals: String? = "PATH..."
    static let options: [Option] = []
    static let examples: KeyValuePairs = ["daleks unpin ~/daleks/talks": "the folder and all that is in it"]

    static func run(_ call: Call) throws(CommandFailure) {
        let found = try Pinned.all(under: call.settings.positionals)
        for item in found.items { _ = try item.pin(false) { _ in } }
        call.answer(
            "\(found.files) files are pinned no more.",
            JSONObject([("files", .integer(Int64(found.files)))])
        )
    }
}

/// A file or folder of a mount.
private struct Pinned {
    struct Found {
        var items: [Pinned] = []
        var files = 0
        var bytes: Int64 = 0
    }

    let path: String
    let isFolder: Bool

    /// Files and folders at the paths and below them; links and what else has no bytes are passed by.
    static func all(under paths: [String]) throws(CommandFailure) -> Found {
        var found = Found()
        for path in paths {
            guard MountedPath(path) != nil else { throw .failed("\(path) is in no mount") }
            try add(path, to: &found, isNamed: true)
        }
        return found
    }

    private static func add(_ path: String, to found: inout Found, isNamed: Bool) throws(CommandFailure) {
        var status = stat()
        guard lstat(path, &status) == 0 else {
            let error = Errno.last
            // It was removed since its folder was read.
            if error == .noEntry, !isNamed { return }
            throw .failed("\(path): \(error)")
        }
        switch status.st_mode & S_IFMT {
        case S_IFREG:
            found.items.append(Pinned(path: path, isFolder: false))
            found.files += 1
            found.bytes += Int64(status.st_size)
        case S_IFDIR:
            found.items.append(Pinned(path: path, isFolder: true))
            let names: [String]
            do throws(Errno) { names = try Files.entries(of: path) } catch { throw .failed("\(path): \(error)") }
            for name in names { try add("\(path)/\(name)", to: &found, isNamed: false) }
        default:
            if isNamed { throw .failed("\(path) is neither a file nor a folder") }
        }
    }

    /// How many bytes it has, each of which is here when this returns.
    func pin(_ isPinned: Bool, progress: (Int64) -> Void) throws(CommandFailure) -> Int64 {
        do throws(Errno) {
            let flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | (isFolder ? O_DIRECTORY : 0)
            let file = try FileDescriptor.open(path, flags)
            try file.setAttribute("user.daleks.pinned", [UInt8(ascii: isPinned ? "1" : "0")])
            guard isPinned, !isFolder else { return 0 }
            let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 4_096)
            defer { buffer.deallocate() }
            var position: Int64 = 0
            while true {
                let count = try file.read(into: buffer, at: position)
                if count == 0 { return position }
                position += Int64(count)
                progress(position)
            }
        } catch {
            if error == .noEntry { return 0 }
            let hint = error == .timedOut ? "; the region does not answer" : ""
            throw .failed("\(path): \(error)\(hint)")
        }
    }
}
