import CSQLite
import DaleksCore
import DaleksSystem
import Glibc

/// What lies at a path before anything touches it. Only a file that is empty, or that says in its header that it is
/// this program's, is ever written to.
struct DatabaseFile {
    let path: String
    let applicationID: Int32

    enum State {
        /// Nothing is in it.
        case new
        case ours
    }

    /// The folder that a path's last part is in.
    static func folder(of path: String) -> String {
        guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    /// Makes an empty file that only its owner can read; `-wal` and `-shm` get its permissions from SQLite. An existing
    /// file is left alone. True when it was made.
    ///
    /// mknod and not open: a descriptor of ours, once closed, would drop the locks of another connection to the file.
    static func create(_ path: String) throws(SQLiteError) -> Bool {
        let logBytes = size(of: path + "-wal")
        if logBytes > 0, access(path, F_OK) != 0 {
            throw SQLiteError(
                .corrupt,
                "\(path) is gone, but its log \(path)-wal holds \(logBytes) bytes. \(leftAlone)"
            )
        }
        if mknod(path, S_IFREG | 0o600, 0) == 0 { return true }
        let error = Errno.last
        if error == .exists { return false }
        throw SQLiteError(.cannotOpen, "cannot create the database \(path): \(error)")
    }

    static func checkPath(_ path: String) throws(SQLiteError) {
        let isUsable = !path.isEmpty && !path.utf8.contains(0) && path.utf8.count <= Limits.pathBytesMax
        guard isUsable else { throw SQLiteError(.cannotOpen, "not a path for a database: \(path.debugDescription)") }
        var status = stat()
        if stat(path, &status) == 0, status.st_mode & S_IFMT != S_IFREG {
            throw SQLiteError(.cannotOpen, "\(path) is not a file")
        }
    }

    /// Refuses what is not ours by its header, read through a connection that has not touched the file yet.
    func examine(_ handle: Handle) throws(SQLiteError) {
        guard !handle.isReadOnly else {
            throw SQLiteError(.readOnly, "\(path) or its file system cannot be written to")
        }
        var fileBytes: Int64 = 0
        var header = [UInt8](repeating: 0, count: Header.byteCount)
        var result = daleks_sqlite_file_size(handle.raw, &fileBytes)
        if result == SQLITE_OK { result = daleks_sqlite_read_start(handle.raw, &header, Int32(header.count)) }
        guard result == SQLITE_OK else {
            throw SQLiteError(result: result, on: nil, .preparing, doing: "cannot read \(path)")
        }
        // SQLite follows links, and keeps the log beside the file itself.
        let actualPath = sqlite3_db_filename(handle.raw, "main").map { String(cString: $0) } ?? path
        try judge(Header(bytes: header), fileBytes: fileBytes, actualPath: actualPath)
    }

    private func judge(_ header: Header, fileBytes: Int64, actualPath: String) throws(SQLiteError) {
        if fileBytes == 0 {
            // SQLite would delete the log of an empty database.
            let log = actualPath + "-wal"
            let logBytes = Self.size(of: log)
            guard logBytes == 0 else { throw torn("it is empty, but its log \(log) holds \(logBytes) bytes") }
            return
        }
        if header.isSQLite {
            guard header.applicationID == applicationID else { throw foreign(header.applicationID) }
            return
        }
        // The very first transaction was cut short by a power cut: its rollback journal says that the file was empty.
        if header.isZero, fileBytes <= Header.pageBytesMax, Self.size(of: actualPath + "-journal") > 0 { return }
        if header.isZero { throw torn("its header is missing") }
        throw SQLiteError(.notADatabase, "\(path) is not a database. \(Self.leftAlone)")
    }

    /// The second look, once SQLite has replayed what log or journal there was.
    func confirm(_ handle: Handle) throws -> State {
        if try signature(of: handle) == applicationID { return .ours }
        let objectCount = try handle.number("SELECT count(*) FROM sqlite_schema")
        // Each question sees the file as it is then: another process may have signed and filled it between the two.
        let found = try signature(of: handle)
        if found == applicationID { return .ours }
        guard found == 0, objectCount == 0 else { throw foreign(found) }
        return .new
    }

    private func signature(of handle: Handle) throws -> Int32 {
        Int32(truncatingIfNeeded: try handle.number("PRAGMA application_id"))
    }

    private func foreign(_ found: Int32) -> SQLiteError {
        let ids = "application id \(Self.hexadecimal(found)), not \(Self.hexadecimal(applicationID))"
        return SQLiteError(.foreign, "\(path) is another program's database (\(ids)). \(Self.leftAlone)")
    }

    private func torn(_ what: String) -> SQLiteError {
        SQLiteError(.corrupt, "\(path) is torn: \(what). \(Self.leftAlone)")
    }

    private static let leftAlone = "It was left as it is; move it away or restore it from a backup."

    private static func hexadecimal(_ id: Int32) -> String { "0x" + String(UInt32(bitPattern: id), radix: 16) }

    private static func size(of path: String) -> Int64 {
        var status = stat()
        return stat(path, &status) == 0 ? Int64(status.st_size) : 0
    }
}

/// The first hundred bytes of a database file, which SQLite's format fixes.
private struct Header {
    static let byteCount = 100
    static let pageBytesMax = Int64(1 << 16)
    private static let magic = Array("SQLite format 3\0".utf8)

    let bytes: [UInt8]

    var isSQLite: Bool { bytes.starts(with: Self.magic) }
    var isZero: Bool { bytes.allSatisfy { $0 == 0 } }
    var applicationID: Int32 {
        Int32(bitPattern: bytes[68..<72].reduce(0) { $0 << 8 | UInt32($1) })
    }
}
