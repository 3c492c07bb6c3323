import DaleksAPI
import DaleksCore
import DaleksHTTP
import DaleksHTTPClient
import DaleksJSON
import DaleksPostgres
import DaleksSystem
import DaleksTestSupport
import Glibc
import Testing

@testable import DaleksFiles

/// Two programs on one PostgreSQL and one bucket are one service: whoever writes at one reads it at the other.
@Suite(
    .needs(.postgres),
    .enabled(if: S3StandIn.unavailability == nil, Comment(rawValue: S3StandIn.unavailability ?? ""))
)
struct TwoProcessTests {
    private static let publicURL = "http://files.test"
    /// Rounds of each writer; `DALEKS_ROUNDS=500` is a long form.
    private static let rounds = Environment.current["DALEKS_ROUNDS"].flatMap { Int($0) } ?? 12

    let folder = ScratchFolder()
    let users: TestUsers
    let user = UserID.random(at: .zero)
    let token: String
    let bucket: S3StandIn
    let storage: [String]

    init() throws {
        users = try TestUsers()
        token = try users.token(for: user, audience: Self.publicURL)
        bucket = try S3StandIn(folder: folder.path, buckets: ["daleks"])
        storage = [
            "--database", try PostgresServer.shared().makeSchema(),
            "--storage", "s3://daleks/region?endpoint=\(bucket.endpoint)",
            "--storage-access-key", bucket.accessKey, "--storage-secret-key", bucket.secretKey,
        ]
    }

    private func program(_ name: String) throws -> RunningProgram {
        try RunningProgram(
            [
                "--state", folder.path(name), "--users-url", users.url, "--port", "0", "--public-url", Self.publicURL,
            ] + storage
        )
    }

    private func client(_ program: RunningProgram) -> TestClient {
        TestClient("http://127.0.0.1:\(program.port)", token: token)
    }

    // MARK: One value at a time

    /// Several clients read a file and replace what they read, each by a value that nobody else writes.
    private final class Writer: Sendable {
        struct State {
            var histories: [NodeID: History<Register>] = [:]
            /// Acknowledged, by file: the entity tag of each value.
            var tags: [NodeID: [Int: String]] = [:]
            var failure: String?
        }

        let number: Int
        let files: [NodeID]
        let state = Lock(State())

        init(number: Int, files: [NodeID]) {
            self.number = number
            self.files = files
        }

        /// Until the rounds are over, or an answer fails to come and there is nobody else to ask.
        func work(_ clients: [TestClient], rounds: Int, seed: UInt64) {
            var random = SeededGenerator(seed: seed)
            var remaining = clients[...]
            for round in 0..<rounds {
                guard let client = remaining.first else { return }
                let file = files[Int.random(in: 0..<files.count, using: &random)]
                do {
                    // Large ones go to the bucket, small ones into a row.
                    let padding = random.oneIn(4) ? 100_000 : 0
                    try step(client, file, value: number * 1_000_000 + round + 1, padding: padding)
                } catch let failure as TestFailure {
                    return state.withLock { $0.failure = "\(failure)" }
                } catch {
                    remaining = remaining.dropFirst()
                }
            }
        }

        private func step(_ client: TestClient, _ file: NodeID, value: Int, padding: Int) throws {
            let path = Routes.Files.content(of: file)
            let began = TimeSource.system.now
            let answer = try client.send(.get, path)
            let (seen, tag) = (Self.value(answer.body), answer.fields["ETag"] ?? "")
            guard answer.status == .ok, let seen else { throw TestFailure("\(answer.status) \(answer.body.count)") }
            record(.read(seen), file, from: began, to: TimeSource.system.now)

            let again = TimeSource.system.now
            let body = Array("\(value) ".utf8) + [UInt8](repeating: UInt8(ascii: "x"), count: padding)
            let outcome: ClientResponse
            do {
                outcome = try client.send(.put, path, body, fields: [("If-Match", tag)])
            } catch {
                record(.replaced(seen, by: value), file, from: again, to: nil)
                throw error
            }
            switch outcome.status.code {
            case 200, 201, 204:
                record(.replaced(seen, by: value), file, from: again, to: TimeSource.system.now)
                state.withLock { $0.tags[file, default: [:]][value] = outcome.fields["ETag"] ?? "" }
            case 412: record(.refused(seen), file, from: again, to: TimeSource.system.now)
            case 503: record(.replaced(seen, by: value), file, from: again, to: nil)
            default: throw TestFailure("\(outcome.status): \(String(decoding: outcome.body, as: UTF8.self))")
            }
        }

        private func record(_ act: Register.Act, _ file: NodeID, from began: Instant, to ended: Instant?) {
            state.withLock { $0.histories[file, default: History<Register>()].add(act, from: began, to: ended) }
        }

        static func value(_ body: [UInt8]) -> Int? {
            Int(String(decoding: body.prefix { $0 != UInt8(ascii: " ") }, as: UTF8.self))
        }
    }

    /// Follows the tree until it is told to end and has seen all that was there then.
    private final class Follower: Sendable {
        private struct State {
            var changes: [Change] = []
            var isEnding = false
            var failure: String?
        }

        private let state = Lock(State())
        var changes: [Change] { state.withLock { $0.changes } }
        var failure: String? { state.withLock { $0.failure } }

        /// Where one stops to answer, the next goes on from the cursor.
        func follow(_ clients: [TestClient], from start: String) {
            var (cursor, remaining) = (start, clients[...])
            while let client = remaining.first {
                let isEnding = state.withLock { $0.isEnding }
                guard let page = try? client.changes(after: cursor, wait: isEnding ? 0 : 2) else {
                    remaining = remaining.dropFirst()
                    continue
                }
                cursor = page.cursor
                state.withLock { $0.changes += page.changes }
                if isEnding, page.changes.isEmpty { return }
            }
            state.withLock { $0.failure = "nobody was left to follow" }
        }

        func end() { state.withLock { $0.isEnding = true } }
    }

    @Test(arguments: [false, true])
    func `each file is one value for all, and both feeds tell every change in one order`(isKilled: Bool) throws {
        let (first, second) = (try program("first"), try program("second"))
        let (here, there) = (client(first), client(second))
        let tree = try here.tree()
        let files = try (0..<3).map { index -> NodeID in
            let answer = try here.send(.put, "/v1/paths/file\(index)", Array("0 ".utf8))
            return try NodeRecord(json: try JSONValue.parse(answer.body)).id
        }
        var random = SeededGenerator(for: "two processes")
        let writers = (0..<6).map { Writer(number: $0 + 1, files: files) }
        let followers = [Follower(), Follower()]
        let ways = [[here], [there, here]]
        let following = zip(followers, ways).map { follower, way in
            Thread(name: "follower") { follower.follow(way, from: tree.cursor) }
        }

        let writing = writers.map { writer in
            let (way, seed) = (ways[writer.number % 2], random.next())
            return Thread(name: "writer") { writer.work(way, rounds: Self.rounds, seed: seed) }
        }
        if isKilled {
            usleep(UInt32.random(in: 100_000...300_000, using: &random))
            second.process.send(SIGKILL)
        }
        for thread in writing { thread.join() }
        for follower in followers { follower.end() }
        for thread in following { thread.join() }

        #expect(writers.compactMap { $0.state.withLock { $0.failure } } == [])
        #expect(followers.compactMap(\.failure) == [])
        try judge(writers, files, here)
        try judge(followers, writers)
        try checkStorage()
    }

    private func judge(_ writers: [Writer], _ files: [NodeID], _ client: TestClient) throws {
        var replacedCount = 0
        for file in files {
            var history = History<Register>()
            for writer in writers {
                let operations = writer.state.withLock { $0.histories[file]?.operations ?? [] }
                for operation in operations {
                    history.add(operation.act, from: operation.began, to: operation.ended)
                    if case .replaced = operation.act, operation.ended != nil { replacedCount += 1 }
                }
            }
            // What is there now belongs to the history too.
            let began = TimeSource.system.now
            let last = Writer.value(try client.send(.get, Routes.Files.content(of: file)).body)
            history.add(.read(try #require(last)), from: began, to: TimeSource.system.now)
            #expect(history.contradiction(from: Register(0)) == nil)
        }
        #expect(replacedCount >= Self.rounds)
    }

    private func judge(_ followers: [Follower], _ writers: [Writer]) throws {
        let feeds = followers.map(\.changes)
        for feed in feeds {
            let sequences = feed.map(\.sequence)
            #expect(sequences == sequences.sorted() && Set(sequences).count == sequences.count)
            // Nobody else's tree is touched, so no number is passed over.
            #expect(sequences == Array((sequences.first ?? 0)..<(sequences.first ?? 0) + Int64(sequences.count)))
        }
        #expect(feeds[0] == feeds[1])
        var told: [NodeID: Set<String>] = [:]
        for node in feeds[0].flatMap(\.nodes) { told[node.id, default: []].insert("\"\(node.content)\"") }
        for writer in writers {
            for (file, tags) in writer.state.withLock({ $0.tags }) {
                #expect(Set(tags.values).isSubset(of: told[file] ?? []))
            }
        }
    }

    private func checkStorage() throws {
        let captured = try RunningProgram.run(["scrub", "--state", folder.path("first")] + storage)
        #expect(captured.ending == .exited(0), "\(captured.outputText)")
    }

    // MARK: Waking

    @Test func `a change at one wakes who waits at the other, also once the line between them was cut`() throws {
        let (first, second) = (try program("first"), try program("second"))
        let (here, there) = (client(first), client(second))
        var cursor = try there.tree().cursor
        for round in 0..<4 {
            let start = cursor
            let heard = Lock<(page: ChangesPage, at: Instant)?>(nil)
            let waiting = Thread(name: "waiting") {
                guard let page = try? there.changes(after: start, wait: 15) else { return }
                heard.withLock { $0 = (page, TimeSource.system.now) }
            }
            if round == 2 { try cutListeners() }
            usleep(200_000)

            let began = TimeSource.system.now
            let answer = try here.send(.put, "/v1/paths/news\(round)", [UInt8(round)])
            #expect(answer.status == .created)
            waiting.join()

            let news = try #require(heard.withLock { $0 })
            #expect(!news.page.changes.isEmpty && news.page.changes.allSatisfy { !$0.nodes.isEmpty })
            // Without being told it looks every twenty seconds; a listener that was cut off begins again and looks.
            #expect(news.at - began < .seconds(round == 2 ? 10 : 2))
            // Whoever is told in the middle of it gets the rest with the next page.
            cursor = try here.tree().cursor
        }
    }

    /// As a server that restarts one of its processes would.
    private func cutListeners() throws {
        let pool = try TestDatabase.pool()
        defer { pool.close() }
        let rows = try pool.transaction { db in
            try db.query(
                """
                SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                WHERE query LIKE 'LISTEN%' AND application_name LIKE 'daleks-files%' AND pid <> pg_backend_pid()
                """
            )
        }
        #expect(rows.count >= 2)
    }
}
