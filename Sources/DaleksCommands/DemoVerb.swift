import DaleksAPI
import DaleksClient
import DaleksCore
import DaleksHTTP
import DaleksHTTPClient
import DaleksJSON
import DaleksSystem
import Glibc

/// The whole system on one machine: both services, an account, a log-in and a mount.
enum DemoVerb: Verb {
    static let name = "demo"
    static let about = "Runs the whole system on this machine and mounts it, until Ctrl-C."

    static let options = [
        Option("mount", .text(placeholder: "DIR"), help: "Where to mount; by default ~/daleks."),
        Option("users-port", .integer(1...65_535), default: "7401", help: "The users service's port on 127.0.0.1."),
        Option("files-port", .integer(1...65_535), default: "7402", help: "The files service's port on 127.0.0.1."),
        Option(
            "options",
            .text(placeholder: "LIST"),
            help: "Mount options, separated by commas: allow_other, owners=stored, nonempty, ro, noexec, suid, dev.",
            short: "o",
            repeats: true
        ),
    ]

    static let examples: KeyValuePairs = [
        "daleks demo": "everything on this machine, at ~/daleks",
        "daleks demo --state /tmp/demo --mount /tmp/files": "elsewhere",
    ]
    static let takesSignals = true

    static func run(_ call: Call) throws(CommandFailure) {
        let demo = try Demo(call)
        defer { demo.end() }
        try demo.begin()
        call.console.say(demo.welcome)
        try demo.stay()
    }
}

/// One run of the demonstration.
final class Demo {
    private static let email = "demo@example.com"

    private let call: Call
    private let folder: String
    private let mountPoint: String
    private let usersURL: String
    private let filesURL: String
    private var services: [(name: String, process: Subprocess, log: LogFile)] = []
    private var daemon: (process: Subprocess, log: LogFile)?
    private let lock: LockFile

    init(_ call: Call) throws(CommandFailure) {
        self.call = call
        let places = try call.places()
        folder = call.settings.optionalText("state") ?? places.stateFolder + "-demo"
        mountPoint = call.settings.optionalText("mount") ?? places.mountPoint
        usersURL = "http://127.0.0.1:\(call.settings.text("users-port"))"
        filesURL = "http://127.0.0.1:\(call.settings.text("files-port"))"
        guard usersURL != filesURL else { throw .usage("the two services need two ports") }
        try DaemonLaunch.requireDevice()
        do throws(Errno) { try Files.createPrivateDirectory(folder) } catch {
            throw .failed(
                "the state folder \(folder) cannot be made or written to: \(error); choose another with --state"
            )
        }
        do throws(LockFile.Failure) { lock = try LockFile(folder + "/lock") } catch {
            switch error {
            case .held(let process):
                let who = process.map { " (process \($0))" } ?? ""
                throw .failed("another demo\(who) runs in \(folder); end it, or choose another folder with --state")
            case .failed(let errno):
                throw .failed("the state folder \(folder) cannot be written to: \(errno); choose another with --state")
            }
        }
    }

    var welcome: String {
        """
        ready: your files are at \(mountPoint)

        Three things to try in another terminal:
          echo hello > \(mountPoint)/hello.txt && ls -l \(mountPoint)
          \(ownPath) status --state \(folder)/client
          Ctrl-C here, start again, and find everything where it was
        """
    }

    private var ownPath: String { DaemonLaunch.program("daleks") }

    // MARK: Beginning

    func begin() throws(CommandFailure) {
        try start(
            "daleks-users",
            [
                "--state", folder + "/users", "--port", call.settings.text("users-port"), "--issuer", usersURL,
                "--region", "local=\(filesURL)", "--registration", "open",
            ],
            url: usersURL,
            portFlag: "--users-port"
        )
        try start(
            "daleks-files",
            [
                "--state", folder + "/files", "--port", call.settings.text("files-port"), "--region", "local",
                "--users-url", usersURL, "--public-url", filesURL,
            ],
            url: filesURL,
            portFlag: "--files-port"
        )
        let store = CredentialStore(path: folder + "/client/credentials.json")
        let session = Session(
            usersURL: usersURL,
            email: Self.email,
            password: try password(),
            name: "Demo"
        )
        _ = try session.begin(registers: true, region: "local", store: store)
        try makeMountPoint()
        var launch = DaemonLaunch(
            credentials: store.path,
            stateFolder: folder + "/client",
            mountPoint: mountPoint,
            options: call.settings.texts("options")
        )
        launch.diesWithUs = true
        let log = LogFile(path: folder + "/daleksd.log")
        let process = try launch.start(log)
        daemon = (process, log)
        _ = try launch.waitUntilServing(process, log)
    }

    /// Starts a service and waits until it is ready.
    private func start(
        _ name: String,
        _ arguments: [String],
        url: String,
        portFlag: String
    ) throws(CommandFailure) {
        let log = LogFile(path: "\(folder)/\(name).log")
        try log.begin()
        let command = Command(
            "/bin/sh",
            ["-c", "exec \"$0\" \"$@\" >>\"$DALEKS_LOG\" 2>&1", DaemonLaunch.program(name)] + arguments,
            environment: Environment.current.merging(["DALEKS_LOG": log.path]) { _, new in new },
            output: .discard,
            errors: .discard,
            deathSignal: SIGTERM,
            startsGroup: true
        )
        let process: Subprocess
        do throws(SubprocessError) { process = try Subprocess.start(command) } catch { throw .failed("\(error)") }
        // Here they share the machine with whoever works in the mount, who seldom waits for them.
        Thread.standBack(process: process.processID)
        services.append((name, process, log))
        let http = Call.http()
        defer { http.shutdown() }
        let pause = Gate()
        for _ in 0..<500 {
            if let ending = process.ending {
                // It speaks of its own flag, and whoever started us can only give ours.
                let reason = log.lastWord(of: name)?.replacing("--port", with: portFlag)
                throw .failed(reason ?? "\(name) ended at once: \(ending)")
            }
            if let response = try? http.send(ClientRequest(.get, url + "/readyz", deadline: .seconds(1))),
                response.status == .ok
            {
                return
            }
            pause.wait(timeout: .milliseconds(20))
        }
        throw .failed("\(name) was not ready within 10 seconds; see \(log.path)")
    }

    /// Made once and kept: the account belongs to this folder.
    private func password() throws(CommandFailure) -> String {
        let path = folder + "/password"
        do throws(Errno) {
            return String(decoding: try Files.readAll(path, max: 1_024), as: UTF8.self)
        } catch {
            guard error == .noEntry else { throw .failed("\(path) cannot be read: \(error)") }
        }
        let password = Base64.encode(Random.bytes(count: 24))
        do throws(Errno) { try Files.writeAtomically(path, Array(password.utf8), mode: 0o600) } catch {
            throw .failed("\(path) cannot be written: \(error)")
        }
        return password
    }

    /// What stands there is left as it is: the daemon heals a dead mount, and refuses what is in the way.
    private func makeMountPoint() throws(CommandFailure) {
        if mkdir(mountPoint, 0o755) == -1 {
            let error = Errno.last
            guard error == .exists else { throw .failed("\(mountPoint) cannot be made: \(error)") }
        }
    }

    // MARK: Staying and ending

    /// Until a signal comes, or one of the children ends, which none should.
    func stay() throws(CommandFailure) {
        while call.signals.wait(timeout: .milliseconds(500)) == nil {
            if let daemon, let ending = daemon.process.ending {
                self.daemon = nil
                // Unmounted from outside: that is an end like another.
                if ending.isSuccess { return }
                throw .failed("daleksd ended: \(daemon.log.lastWord(of: "daleksd") ?? "\(ending)")")
            }
            for service in services where service.process.ending != nil {
                throw .failed(
                    "\(service.name) ended: \(service.log.lastWord(of: service.name) ?? "see \(service.log.path)")"
                )
            }
        }
    }

    /// The daemon first: it still has to send what the services do not know.
    func end() {
        if let daemon { daemon.process.terminate(grace: .seconds(45)) }
        daemon = nil
        for service in services.reversed() { service.process.terminate(grace: .seconds(15)) }
        services = []
    }
}
