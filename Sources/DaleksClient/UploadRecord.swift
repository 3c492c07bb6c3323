import DaleksCore
import DaleksCrypto
import DaleksJSON
public import DaleksSystem
public import Glibc

/// What is remembered of a file that is on its way to a region, so that another run goes on where this one ended.
///
/// It is for one file at one place, and holds for as long as the file is the same: another inode, size or time, and it
/// is forgotten. Its name has the number of the process whose it is; what a process left that is gone is the next
/// one's, who takes it over by renaming it.
public struct UploadRecord {
    /// What names the upload, and the file as it was when that began.
    public struct Subject: Sendable {
        public var file: String
        public var status: stat
        public var place: String

        public init(file: String, status: stat, place: String) {
            self.file = file
            self.status = status
            self.place = place
        }

        var key: String { String(Hex.encode(SHA256.digest(of: Array("\(file)\n\(place)".utf8)).bytes).prefix(32)) }

        /// Whatever is written to a file changes one of these, and nobody can set the last back.
        var state: String {
            let (modified, changed) = (status.st_mtim, status.st_ctim)
            return "\(status.st_dev):\(status.st_ino):\(status.st_size):\(modified.tv_sec).\(modified.tv_nsec):"
                + "\(changed.tv_sec).\(changed.tv_nsec)"
        }
    }

    private let folder: String
    private let subject: Subject
    private let path: String
    /// What an earlier run left; its file may be another one by now.
    public let earlier: UploadMark?
    /// The file is as it was then.
    public let isSameFile: Bool

    /// Regions forget uploads that nobody goes on with long before.
    private static let ageMax = Duration.seconds(30 * 86_400)
    private static let bytesMax = 64 << 10

    public init(in folder: String, _ subject: Subject) throws(Errno) {
        self.folder = folder
        self.subject = subject
        try Files.createPrivateDirectory(folder, durable: false)
        let own = "\(subject.key)-\(getpid()).json"
        path = "\(folder)/\(own)"
        var read: (mark: UploadMark, state: String)?
        for name in try Files.entries(of: folder) where name.hasSuffix(".json") {
            let words = name.dropLast(".json".count).split(separator: "-")
            guard words.count == 2, let process = Int32(words[1]), !ProcessTable.isAlive(process) else { continue }
            Self.forgetIfOld("\(folder)/\(name)")
            // Of two that go on at once one has it.
            guard words[0] == subject.key, read == nil, rename("\(folder)/\(name)", path) == 0 else { continue }
            read = Self.read(path)
        }
        earlier = read?.mark
        isSameFile = read?.state == subject.state
    }

    private static func forgetIfOld(_ path: String) {
        var status = stat()
        guard lstat(path, &status) == 0 else { return }
        let age = TimeSource.system.wall - Timestamp(seconds: Int64(status.st_mtim.tv_sec))
        if age > ageMax { unlink(path) }
    }

    private static func read(_ path: String) -> (UploadMark, String)? {
        guard let bytes = try? Files.readAll(path, max: bytesMax), let json = try? JSONValue.parse(bytes) else {
            return nil
        }
        let reader = JSONReader(json)
        guard let location = try? reader.string("location"), let state = try? reader.string("file_state"),
            let parts = try? reader.array("sent")
        else { return nil }
        var digests: [Int64: String] = [:]
        for part in parts {
            guard let offset = try? part.integer("offset"), let digest = try? part.string("digest") else { return nil }
            digests[offset] = digest
        }
        return (UploadMark(location: location, digests: digests), state)
    }

    /// A power cut may lose it: then the file is sent from its beginning.
    public func save(_ mark: UploadMark) {
        let sent = mark.digests.sorted { $0.key < $1.key }.map { part in
            JSONValue.object(JSONObject([("offset", .integer(part.key)), ("digest", .string(part.value))]))
        }
        let object = JSONObject([
            ("version", .integer(1)), ("file", .string(subject.file)), ("place", .string(subject.place)),
            ("file_state", .string(subject.state)), ("location", .string(mark.location)), ("sent", .array(sent)),
        ])
        try? Files.writeAtomically(path, object.jsonBytes, mode: 0o600, durable: false)
    }

    public func erase() { unlink(path) }
}
