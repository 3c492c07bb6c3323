import DaleksAPI
import DaleksCore
import DaleksHTTP
import DaleksJSON
import DaleksSystem
import DaleksTestSupport
import Testing

@testable import DaleksFiles

/// Garbage is collected while the same contents come again, on two sides at once: nothing that was acknowledged is
/// lost.
struct CollectorRaceTests {
    /// Rounds of each uploader; `DALEKS_ROUNDS=2000` is a long form.
    private static let rounds = Environment.current["DALEKS_ROUNDS"].flatMap { Int($0) } ?? 12
    private static let grace = Duration.seconds(10)

    let folder = ScratchFolder()
    let clock = ManualClock()
    let owner = UserID.random(at: .zero)

    /// One process of the region, or what would be one.
    private final class Side: Sendable {
        let store: TreeStore
        let chunks: any ChunkStore
        let content: ChunkAccess
        let mutations: Mutations
        let feed: ChangeFeed
        let measures = FilesMeasures(Metrics())

        init(_ store: TreeStore, _ chunks: any ChunkStore) {
            self.store = store
            self.chunks = chunks
            feed = ChangeFeed(store: store)
            content = ChunkAccess(store: store, chunks: chunks, measures: measures)
            mutations = Mutations(store: store, content: content, feed: feed, measures: measures)
        }

        /// Until told otherwise: everything that is due, again and again.
        func collect(_ clock: ManualClock, while goesOn: () -> Bool) throws {
            let collector = Collector(store: store, chunks: chunks, grace: grace, measures: measures)
            let packer = Packer(store: store, chunks: chunks, measures: measures)
            while goesOn() {
                clock.advance(by: .seconds(3))
                try packer.pack(olderThan: .seconds(5), while: goesOn)
                try collector.collect(while: goesOn)
            }
        }
    }

    /// Puts contents of a small set again and again, keeps some of the files and removes others.
    private final class Uploader: Sendable {
        struct State {
            var kept: [(file: NodeID, content: Revision, bytes: [UInt8])] = []
            var retryCount = 0
            var failure: String?
        }

        let owner: UserID
        let root: NodeID
        let sides: [Side]
        let device = DeviceID.random(at: .zero)
        let state = Lock(State())

        init(owner: UserID, root: NodeID, sides: [Side]) {
            self.owner = owner
            self.root = root
            self.sides = sides
        }

        func work(_ contents: [ChunkContent], rounds: Int, seed: UInt64) {
            var random = SeededGenerator(seed: seed)
            var sequence: Int64 = 1
            do {
                for _ in 0..<rounds {
                    let chunk = contents[Int.random(in: 0..<contents.count, using: &random)]
                    let (file, content) = try write(chunk, &sequence)
                    // The other side must know of it too.
                    let read = try sides[1].content.read(0, of: file, at: content, for: owner)
                    guard read == chunk.bytes else { throw TestFailure("wrong bytes were read") }
                    if random.oneIn(4) {
                        state.withLock { $0.kept.append((file, content, chunk.bytes)) }
                    } else {
                        try run([.remove(parent: root, name: name("\(file)"), node: file, time: moment)], &sequence)
                    }
                }
            } catch {
                state.withLock { $0.failure = "\(error)" }
            }
        }

        private func write(_ chunk: ChunkContent, _ sequence: inout Int64) throws -> (NodeID, Revision) {
            let file = NodeID.random(at: .zero)
            try run([.creating("\(file)", file, in: root)], &sequence)
            var commit = Mutation.committing(chunk.bytes, to: file, base: .content(0))
            guard case .commit(var content) = commit else { throw TestFailure("this is a commit") }
            content.spans[0].source = .chunk(chunk.digest)
            commit = .commit(content)
            for _ in 0..<200 {
                try sides[0].content.put([chunk], of: owner)
                let outcome = try run([commit], &sequence)[0].outcome
                if let content = outcome.content { return (file, content) }
                // It was condemned between the two: said so, and put once more.
                guard case .incomplete = outcome else { throw TestFailure("\(outcome)") }
                state.withLock { $0.retryCount += 1 }
            }
            throw TestFailure("a chunk was lacking two hundred times")
        }

        @discardableResult
        private func run(_ mutations: [Mutation], _ sequence: inout Int64) throws -> [OperationResult] {
            let operations = mutations.enumerated().map { Operation(sequence: sequence + Int64($0), mutation: $1) }
            let batch = MutationBatch(device: device, acknowledged: sequence - 1, operations: operations)
            let results = try sides[0].mutations.run(try PreparedBatch(body: batch.jsonBytes), of: owner).results
            sequence += Int64(results.count { !$0.outcome.stopsBatch })
            return results
        }
    }

    @Test func `on one SQLite and one folder`() throws {
        let store = try TreeStore(
            path: folder.path("files.db"),
            bytesQuota: 1 << 40,
            trashKept: .seconds(5),
            time: clock.source,
            logger: .silent
        )
        let side = Side(store, try LocalChunkStore(folder: folder.path("chunks"), segmentBytesMax: 1 << 20))
        try race([side, side], largeBytes: 40_000)
        store.close()
    }

    @Test(
        .needs(.postgres),
        .enabled(if: S3StandIn.unavailability == nil, Comment(rawValue: S3StandIn.unavailability ?? ""))
    )
    func `on two processes of one PostgreSQL and one bucket`() throws {
        let bucket = try S3StandIn(folder: folder.path, buckets: ["daleks"])
        let url = try PostgresServer.shared().makeSchema()
        let sides = try (0..<2).map { _ in
            let store = try TreeStore(
                postgres: url,
                bytesQuota: 1 << 40,
                trashKept: .seconds(5),
                time: clock.source,
                logger: .silent
            )
            let client = S3Client(
                try S3Address("s3://daleks/region?endpoint=\(bucket.endpoint)"),
                credentials: .fixed(
                    S3Credentials(accessKey: bucket.accessKey, secretKey: bucket.secretKey, sessionToken: nil)
                ),
                logger: .silent
            )
            // Objects age by the bucket's clock, not by the one that the test moves.
            return Side(store, S3ChunkStore(client, logger: .silent))
        }
        try race(sides, largeBytes: 70_000)
        for side in sides {
            side.chunks.close()
            side.store.close()
        }
    }

    private func race(_ sides: [Side], largeBytes: Int) throws {
        var random = SeededGenerator(for: "collector race")
        let contents = (0..<10).map { ChunkContent(random.bytes(count: $0 % 2 == 0 ? 500 : largeBytes)) }
        let root = try sides[0].store.tree(of: owner).root
        let uploaders = (0..<4).map { index in
            Uploader(owner: owner, root: root, sides: index % 2 == 0 ? sides : sides.reversed())
        }
        let isCollecting = Lock(true)
        let failures = Lock<[String]>([])
        let collecting = sides.map { side in
            Thread(name: "collect") { [clock] in
                do {
                    try side.collect(clock) { isCollecting.withLock { $0 } }
                } catch {
                    failures.withLock { $0.append("\(error)") }
                }
            }
        }
        let uploading = uploaders.map { uploader in
            let seed = random.next()
            return Thread(name: "upload") { uploader.work(contents, rounds: Self.rounds, seed: seed) }
        }
        for thread in uploading { thread.join() }
        isCollecting.withLock { $0 = false }
        for thread in collecting { thread.join() }

        #expect(failures.withLock { $0 } == [])
        #expect(uploaders.compactMap { $0.state.withLock { $0.failure } } == [])
        for side in sides { try check(side, uploaders) }
        for side in sides { side.feed.stop() }
    }

    /// What was kept is there, and when everything's time is over, nothing else is.
    private func check(_ side: Side, _ uploaders: [Uploader]) throws {
        for kept in uploaders.flatMap({ $0.state.withLock { $0.kept } }) {
            #expect(try side.content.read(0, of: kept.file, at: kept.content, for: owner) == kept.bytes)
        }
        for _ in 0..<4 {
            clock.advance(by: .seconds(100))
            try Collector(store: side.store, chunks: side.chunks, grace: Self.grace, measures: side.measures).collect()
        }
        let report = try Fsck(store: side.store, chunks: side.chunks).run(readsContents: true)
        #expect(report.isClean, "\(report.findings)")
        #expect(report.unusedBytes == 0)
    }
}
