import DaleksCore
import DaleksSystem
import Glibc

/// A real PostgreSQL of our own for tests: its folder, its socket, its port, `fsync=on`.
///
/// A shell between us and the server watches a pipe from this process. However this process ends, the pipe closes, and
/// the shell stops the server and removes the folder; should the shell be killed too, the kernel stops the server.
///
/// ## Concurrency
/// Commands to the shell go one at a time under `shell`. Everything else is constant.
public final class PostgresServer: Sendable {
    public struct Failure: Error, CustomStringConvertible {
        public let description: String
    }

    public enum StopMode: String, Sendable {
        /// Clients are cut off, transactions rolled back, everything written.
        case fast = "INT"
        /// As a crash would: clients are cut off and the log is replayed at the next start.
        case immediate = "QUIT"
    }

    /// Debian keeps each version's programs in a folder of its own; the newest is taken.
    private static let programs: String? = {
        let versions = (15...30).reversed().map { "/usr/lib/postgresql/\($0)/bin" }
        return versions.first { access("\($0)/initdb", X_OK) == 0 && access("\($0)/postgres", X_OK) == 0 }
    }()

    public static var isInstalled: Bool { programs != nil }

    fileprivate static let whenMissing = "PostgreSQL is not installed (apt install postgresql)"

    private static let sharedServer = Result<PostgresServer, Failure> { () throws(Failure) in try PostgresServer() }

    /// One server for all tests of this process, started when first asked for. Tests take a database of their own each,
    /// and leave the server alone.
    public static func shared() throws(Failure) -> PostgresServer { try sharedServer.get() }

    /// The superuser of every server, who must give `password` over TCP and nothing over the socket.
    public static let user = "daleks"
    public static let password = "exterminate the flaky"

    public let folder: String
    public let port: Int
    private let programs: String
    private let shell: Lock<WatchingShell>

    /// Starts a server. `settings` are lines of postgresql.conf, by name. With `isEncrypted` it offers TLS under a
    /// certificate for `localhost`.
    public init(settings: [String: String] = [:], isEncrypted: Bool = false) throws(Failure) {
        guard let programs = Self.programs else { throw Failure(description: Self.whenMissing) }
        self.programs = programs
        folder = try Self.makeFolder()
        port = try Self.freePort()
        let script = Self.script(programs: programs, folder: folder)
        let shell = try WatchingShell(script: script, as: getuid() == 0 ? "postgres" : nil)
        try Self.write(Self.password, to: "\(folder)/password")
        self.shell = Lock(shell)
        try command("init")
        // What the tests prove must hold on a server that keeps its word, so that fsync stays on.
        var own = [
            "fsync": "on", "listen_addresses": "'127.0.0.1'", "port": "\(port)",
            "unix_socket_directories": "'\(folder)'", "shared_buffers": "'32MB'", "max_connections": "100",
            "deadlock_timeout": "'50ms'", "logging_collector": "off", "autovacuum": "off",
        ]
        if isEncrypted {
            try command("certify")
            own["ssl"] = "on"
            own["ssl_cert_file"] = "'\(folder)/server.pem'"
            own["ssl_key_file"] = "'\(folder)/server.key'"
        }
        try command("configure", own.merging(settings) { $1 }.map { "\($0) = \($1)" }.sorted().joined(separator: "\t"))
        try command("start")
    }

    /// A new empty schema of a database that others use too, as a URL over the socket: tables of one's own within
    /// milliseconds, where a whole database costs a third of a second of writing.
    public func makeSchema() throws(Failure) -> String {
        let name = "test_\(Hex.encode(Random.bytes(count: 6)))"
        try command("schema", name)
        return "\(url())?options=-csearch_path%3D\(name)"
    }

    /// A new empty database, as a URL over the socket.
    public func makeDatabase() throws(Failure) -> String {
        let name = "test_\(Hex.encode(Random.bytes(count: 6)))"
        try command("database", name)
        return url(database: name)
    }

    public func url(database: String = "postgres") -> String {
        let host = folder.split(separator: "/").map { "%2F\($0)" }.joined()
        return "postgres://\(Self.user)@\(host):\(port)/\(database)"
    }

    /// Of the authority that signed the certificate of a server that is encrypted.
    public var authorityFile: String { "\(folder)/authority.pem" }
    /// Of one that signed nothing.
    public var strangerFile: String { "\(folder)/stranger.pem" }

    /// Over TCP, with the password.
    public func networkURL(database: String = "postgres", host: String = "127.0.0.1", query: String = "") -> String {
        let password = Self.password.split(separator: " ").joined(separator: "%20")
        return "postgres://\(Self.user):\(password)@\(host):\(port)/\(database)\(query.isEmpty ? "" : "?\(query)")"
    }

    public func start() throws(Failure) { try command("start") }

    public func stop(_ mode: StopMode = .fast) throws(Failure) { try command("stop", mode.rawValue) }

    /// Stops and starts again.
    public func restart(_ mode: StopMode = .fast) throws(Failure) {
        try stop(mode)
        try start()
    }

    /// Freezes every process of the server, or lets them go on: a server that is there and says nothing.
    public func freeze(_ isFrozen: Bool) throws(Failure) { try command(isFrozen ? "freeze" : "thaw") }

    /// Process number of the server, for tests of what is left behind.
    public func processID() throws(Failure) -> String { try command("pid") }

    /// Process number of the shell that watches over the server.
    public var watcherID: Int32 { shell.withLock { $0.id } }

    /// What the server wrote into its log.
    public func log() throws(Failure) -> String { try command("log") }

    @discardableResult
    private func command(_ name: String, _ argument: String = "") throws(Failure) -> String {
        try shell.withLock { shell throws(Failure) in try shell.ask("\(name) \(argument)") }
    }
}

extension PostgresServer {
    /// Reads one command a line and answers each: any lines, then `ok` or `failed`. A signal meant for a terminal's
    /// whole group must not end the watcher before its duty.
    private static func script(programs: String, folder: String) -> String {
        """
        trap '' INT TERM HUP PIPE
        cd /
        bin='\(programs)'; folder='\(folder)'; pid=
        stop() { if [ -n "$pid" ]; then kill -CONT -- $(all) 2>/dev/null; kill -"$1" "$pid"; wait "$pid"; pid=; fi; }
        all() { echo "$pid" $(ps -o pid= --ppid "$pid"); }
        start() {
            setpriv --pdeathsig QUIT "$bin/postgres" -D "$folder/data" </dev/null >>"$folder/log" 2>&1 & pid=$!
            for attempt in $(seq 500); do
                "$bin/pg_isready" -q -h "$folder" -p "$port" && return 0
                kill -0 "$pid" 2>/dev/null || { pid=; tail -5 "$folder/log"; return 1; }
                sleep 0.02
            done
            return 1
        }
        authority() {
            openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=$1" \\
                -keyout "$folder/$1.key" -out "$folder/$1.pem" 2>&1
        }
        certify() {
            authority authority && authority stranger \\
            && openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=localhost \\
                -keyout "$folder/server.key" -out "$folder/server.csr" 2>&1 \\
            && echo 'subjectAltName = DNS:localhost' >"$folder/server.ext" \\
            && openssl x509 -req -in "$folder/server.csr" -CA "$folder/authority.pem" -CAkey "$folder/authority.key" \\
                -CAcreateserial -days 2 -extfile "$folder/server.ext" -out "$folder/server.pem" 2>&1 \\
            && chmod 600 "$folder/server.key"
        }
        run() {
            case "$1" in
            init) "$bin/initdb" -D "$folder/data" -U \(user) --pwfile="$folder/password" --no-sync --no-instructions \\
                --auth-local=trust --auth-host=scram-sha-256 --encoding=UTF8 --locale=C >"$folder/log" 2>&1 \\
                || { tail -5 "$folder/log"; return 1; } ;;
            certify) certify ;;
            configure) printf '%s\\n' "$2" | tr '\\t' '\\n' >>"$folder/data/postgresql.conf"
                port=$(printf '%s\\n' "$2" | tr '\\t' '\\n' | sed -n 's/^port = //p') ;;
            start) start ;;
            stop) stop "$2" ;;
            freeze) kill -STOP $(all) ;;
            thaw) kill -CONT $(all) ;;
            pid) echo "$pid" ;;
            log) cat "$folder/log" ;;
            schema) "$bin/psql" -qh "$folder" -p "$port" -U \(user) -c "CREATE SCHEMA $2" postgres 2>&1 ;;
            database) "$bin/createdb" -h "$folder" -p "$port" -U \(user) "$2" 2>&1 ;;
            *) echo "no such command"; return 1 ;;
            esac
        }
        while IFS=' ' read -r name argument; do
            if run "$name" "$argument"; then echo ok; else echo failed; fi
        done
        stop QUIT
        rm -rf "$folder"
        """
    }

    /// Short, because a socket's path has 107 bytes at most, and open to the user that the server runs as.
    private static func makeFolder() throws(Failure) -> String {
        var template = Array("/tmp/daleks-postgres-XXXXXX".utf8CString)
        let result = template.withUnsafeMutableBufferPointer { $0.baseAddress.flatMap { mkdtemp($0) } != nil }
        let reason = Errno.last
        guard result else { throw Failure(description: "no folder for PostgreSQL: \(reason)") }
        let folder = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        // PostgreSQL refuses to run as root.
        guard getuid() == 0 else { return folder }
        guard let user = getpwnam("postgres") else {
            throw Failure(description: "PostgreSQL does not run as root, and there is no user postgres")
        }
        guard chown(folder, user.pointee.pw_uid, user.pointee.pw_gid) == 0 else {
            throw Failure(description: "the folder of PostgreSQL cannot be given to its user")
        }
        return folder
    }

    private static func freePort() throws(Failure) -> Int {
        do { return Int(try LoopbackSocket.freePort()) } catch { throw Failure(description: "no free port: \(error)") }
    }

    private static func write(_ text: String, to path: String) throws(Failure) {
        do throws(Errno) {
            let file = try FileDescriptor.open(path, O_WRONLY | O_CREAT | O_EXCL, mode: 0o644)
            try file.writeAll(Array(text.utf8))
        } catch {
            throw Failure(description: "\(path) cannot be written: \(error)")
        }
    }
}

extension Requirement {
    /// PostgreSQL 15 or newer where Debian keeps it.
    public static let postgres = Requirement(PostgresServer.whenMissing) { PostgresServer.isInstalled }
}
