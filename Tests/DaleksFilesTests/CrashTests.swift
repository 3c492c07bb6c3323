import DaleksAPI
import DaleksCore
import DaleksHTTP
import DaleksHTTPClient
import DaleksSystem
import DaleksTestSupport
import Glibc
import Testing

@testable import DaleksFiles

/// The program is killed in the middle of its work, again and again. What it answered holds.
struct CrashTests {
    let folder = ScratchFolder()
    let users: TestUsers
    let user = UserID.random(at: .zero)

    init() throws { users = try TestUsers() }

    /// A device that writes until its region is gone, and knows what it was promised.
    private final class Writer: Sendable {
        struct Promise {
            let file: NodeID
            let content: Revision
            let bytes: [UInt8]
            /// The chunk that was put before, if any.
            let chunk: [UInt8]?
        }

        struct State {
            var sequence: Int64 = 1
            var promises: [Promise] = []
            /// What was sent and never answered.
            var pending: [Mutation] = []
            var pendingPromise: Promise?
            var random: SeededGenerator
        }

        let device = DeviceID.random(at: .zero)
        let state: Lock<State>

        init(seed: UInt64) { state = Lock(State(random: SeededGenerator(seed: seed))) }

        func work(_ client: TestClient, _ root: NodeID) {
            while (try? step(client, root)) != nil {}
        }

        /// One batch: a new file with content, renamed into place as editors do. What was pending goes first.
        func step(_ client: TestClient, _ root: NodeID) throws {
            let (sequence, mutations, promise) = state.withLock { state in
                if state.pending.isEmpty { Self.draw(&state, root) }
                return (state.sequence, state.pending, state.pendingPromise)
            }
            if let chunk = promise?.chunk { _ = try client.put(chunk) }
            let answer = try client.run(mutations, from: sequence, acknowledged: sequence - 1)
            guard answer.results.allSatisfy({ $0.outcome.isDone }), let content = answer.results[1].outcome.content
            else {
                throw TestFailure("\(answer.results)")
            }
            state.withLock { state in
                if let promise = state.pendingPromise {
                    state.promises.append(
                        Promise(file: promise.file, content: content, bytes: promise.bytes, chunk: promise.chunk)
                    )
                }
                state.sequence += Int64(mutations.count)
                state.pending = []
            }
        }

        private static func draw(_ state: inout State, _ root: NodeID) {
            let file = NodeID.random(at: .zero)
            let bytes = state.random.bytes(
                count: state.random.oneIn(8) ? 100_000 : Int.random(in: 1...2_000, using: &state.random)
            )
            let isInline = bytes.count < 10_000 && state.random.oneIn(2)
            var commit = Mutation.committing(bytes, to: file, base: .operation(state.sequence))
            if !isInline, case .commit(var content) = commit {
                content.spans[0].source = .chunk(ChunkContent(bytes).digest)
                commit = .commit(content)
            }
            let temporary = "\(file).tmp"
            state.pending = [
                .creating(temporary, file, in: root), commit,
                .rename(
                    Mutation.Rename(
                        parent: root,
                        name: name(temporary),
                        node: file,
                        toParent: root,
                        toName: name("\(file)"),
                        replaces: nil,
                        isExchange: false,
                        time: moment
                    )
                ),
            ]
            state.pendingPromise = Promise(file: file, content: 0, bytes: bytes, chunk: isInline ? nil : bytes)
        }
    }

    /// `DALEKS_ROUNDS=500` is the long form.
    private static let rounds = Environment.current["DALEKS_ROUNDS"].flatMap { Int($0) } ?? 5

    @Test func `killed under load again and again, it loses nothing that it acknowledged`() throws {
        try kill([], rounds: Self.rounds)
    }

    @Test(
        .needs(.postgres),
        .enabled(if: S3StandIn.unavailability == nil, Comment(rawValue: S3StandIn.unavailability ?? ""))
    )
    func `killed on PostgreSQL and a bucket, it loses nothing that it acknowledged`() throws {
        let bucket = try S3StandIn(folder: folder.path, buckets: ["daleks"])
        let storage = [
            "--database", try PostgresServer.shared().makeSchema(),
            "--storage", "s3://daleks/region?endpoint=\(bucket.endpoint)",
            "--storage-access-key", bucket.accessKey, "--storage-secret-key", bucket.secretKey,
        ]
        try kill(storage, rounds: Self.rounds > 5 ? Self.rounds * 2 / 5 : 1)
    }

    /// `DALEKS_ROUNDS=100` is the long form. In every second round what waits in the database for the store has just
    /// been moved there, and what nobody needs has been given up.
    @Test(.enabled(if: access("/dev/fuse", R_OK | W_OK) == 0, "needs /dev/fuse"))
    func `without power again and again, it loses nothing that it acknowledged`() throws {
        let disk = try RunningDisk(path: folder.path("disk"), seed: 1)
        let state = disk.path + "/state"
        try kill([], state: state, rounds: Self.rounds > 5 ? Self.rounds : 2) { round in
            try disk.cutPower()
            guard round % 2 == 1 else { return }
            let command = Command(
                "\(RunningProgram.folder)/daleks-files",
                ["gc", "--state", state, "--keep-removed", "0s"],
                environment: [:]
            )
            let outcome = try Subprocess.capture(command, timeout: .seconds(60))
            try #require(outcome.ending == .exited(0), "gc: \(outcome.outputText)")
            try disk.cutPower()
        }
    }

    /// `killed` is called when the program is gone.
    private func kill(
        _ storage: [String],
        state: String? = nil,
        rounds: Int,
        killed: (_ round: Int) throws -> Void = { _ in }
    ) throws {
        let state = state ?? folder.path("state")
        var random = SeededGenerator(for: "kill -9")
        let writers = (0..<4).map { _ in Writer(seed: random.next()) }
        let publicURL = "http://files.test"
        let arguments =
            [
                "--state", state, "--users-url", users.url, "--port", "0", "--public-url", publicURL,
            ] + storage

        for round in 0..<rounds {
            // Many rounds take longer than a token lives.
            let token = try users.token(for: user, audience: publicURL)
            let program = try RunningProgram(arguments)
            let address = "http://127.0.0.1:\(program.port)"
            let clients = writers.map { TestClient(address, token: token, device: $0.device) }
            let root = try clients[0].tree().root
            let threads = zip(writers, clients).map { writer, client in
                Thread(name: "writer") { writer.work(client, root) }
            }
            usleep(UInt32.random(in: 20_000...250_000, using: &random))
            program.process.send(SIGKILL)
            _ = program.process.wait(timeout: .seconds(10))
            for thread in threads { thread.join() }
            try killed(round)
            try check(writers, arguments, token, round)
        }

        #expect(writers.allSatisfy { $0.state.withLock { !$0.promises.isEmpty } })
        print("\(rounds) rounds, \(writers.reduce(0) { $0 + $1.state.withLock { $0.promises.count } }) promises")
        for verb in ["fsck", "gc", "scrub"] {
            let command = Command(
                "\(RunningProgram.folder)/daleks-files",
                [verb, "--state", state] + storage,
                environment: [:]
            )
            let outcome = try Subprocess.capture(command, timeout: .seconds(240))
            #expect(outcome.ending == .exited(0), "\(verb): \(outcome.outputText)")
        }
    }

    /// After a restart: every promise holds, and what was under way can be sent again.
    private func check(_ writers: [Writer], _ arguments: [String], _ token: String, _ round: Int) throws {
        let program = try RunningProgram(arguments)
        for writer in writers {
            let client = TestClient("http://127.0.0.1:\(program.port)", token: token, device: writer.device)
            let root = try client.tree().root
            try writer.step(client, root)
            for promise in writer.state.withLock({ $0.promises.suffix(25) }) {
                let response = try client.send(.get, Routes.Files.span(0, of: promise.file, at: promise.content))
                try #require(response.status == .ok && response.body == promise.bytes, "round \(round)")
            }
            let children = try client.get(
                Routes.Files.children(of: root, after: nil, limit: 4_096),
                as: ChildrenPage.self
            )
            let names = Set(children.entries.map { "\($0.name)" })
            let promised = writer.state.withLock { $0.promises.map { "\($0.file)" } }
            #expect(children.next != nil || Set(promised).isSubset(of: names))
        }
        program.process.send(SIGTERM)
        #expect(program.process.wait(timeout: .seconds(10)) == .exited(0))
    }
}
