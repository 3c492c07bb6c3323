import DaleksCore
import DaleksCrypto
import DaleksHTTP
import DaleksSystem
import DaleksTestSupport
import Glibc
import Testing

@testable import DaleksFiles

/// Contents in a bucket, against two services that others wrote, also when they fail.
struct S3Tests {
    private static let isThere = S3StandIn.unavailability == nil
    private static let why = Comment(rawValue: S3StandIn.unavailability ?? "")

    let folder = ScratchFolder()

    private func client(
        _ service: S3StandIn,
        port: UInt16? = nil,
        secret: String? = nil,
        patience: Duration = .seconds(20)
    ) throws -> S3Client {
        S3Client(
            try S3Address("s3://daleks/some/prefix?endpoint=http://127.0.0.1:\(port ?? service.port)"),
            credentials: .fixed(
                S3Credentials(accessKey: service.accessKey, secretKey: secret ?? service.secretKey, sessionToken: nil)
            ),
            patience: patience,
            logger: .silent
        )
    }

    private func service(_ program: S3StandIn.Program) throws -> S3StandIn {
        try S3StandIn(program, folder: folder.path, buckets: ["daleks"])
    }

    @Test(.enabled(if: isThere, why), arguments: S3StandIn.Program.allCases)
    func `it is a chunk store, on each service`(program: S3StandIn.Program) throws {
        let service = try service(program)
        let store = S3ChunkStore(try client(service), logger: .silent)
        defer { store.close() }
        var random = SeededGenerator(for: "S3 chunk store")
        // moto takes a hundredth of a second for each request.
        try ChunkStoreConformance.check(store, &random, rounds: 4)

        // 160 chunks of eight writers shared objects; each knows its own, and all can be listed.
        let segments = try store.segments()
        #expect(segments.count < 100 || Environment.current["DALEKS_ROUNDS"] != nil)
        #expect(segments.allSatisfy { abs(($0.written - TimeSource.system.wall).nanoseconds) < 600_000_000_000 })

        let kept = segments.prefix(2).map(\.number)
        // Their times have whole seconds, so "a moment ago" may still be ahead of them.
        store.reclaim(unusedFor: .seconds(3_600)) { _ in false }
        #expect(try store.segments().count == segments.count)
        store.reclaim(unusedFor: .seconds(-60)) { kept.contains($0) }
        #expect(Set(try store.segments().map(\.number)) == Set(kept))
    }

    @Test(.enabled(if: isThere, why)) func `objects over several pages are all listed, and others' keys are left`()
        throws
    {
        let service = try service(.moto)
        let client = try client(service)
        defer { client.shutdown() }
        let threads = (0..<8).map { thread in
            Thread(name: "put") {
                for index in 0..<13 { try? client.put("some/prefix/chunks/\(thread)-\(index)", [1]) }
            }
        }
        for thread in threads { thread.join() }
        try client.put("elsewhere", [2])
        var keys: Set<String> = []
        var pageCount = 0
        try client.list(prefix: "some/", pageCountMax: 100) { objects in
            keys.formUnion(objects.map(\.key))
            pageCount += 1
        }
        #expect(keys.count == 104 && pageCount == 2)
    }

    @Test(.enabled(if: isThere, why)) func `an object is written once`() throws {
        let service = try service(.moto)
        let client = try client(service)
        defer { client.shutdown() }
        try client.put("key", [1, 2, 3])
        #expect(throws: S3Client.Failure.exists) { try client.put("key", [4]) }
        #expect(try client.get("key", 0..<3) == [1, 2, 3])
        #expect(throws: S3Client.Failure.missing) { try client.get("other", 0..<3) }
        #expect(try client.size("key") == 3)
        try client.delete("key")
        try client.delete("key")
        #expect(try client.size("key") == nil)
    }

    @Test(.enabled(if: isThere, why)) func `a wrong secret or bucket is refused and is never taken for damage`() throws
    {
        let service = try service(.rclone)
        let chunk = ChunkContent([1, 2, 3])
        let location = ChunkLocation(segment: 77, position: 0, storedBytes: 3, rawBytes: 3, compression: .none)
        for client in [
            try client(service, secret: "another-secret-key"),
            S3Client(
                try S3Address("s3://nothing?endpoint=\(service.endpoint)"),
                credentials: .fixed(
                    S3Credentials(accessKey: service.accessKey, secretKey: service.secretKey, sessionToken: nil)
                ),
                logger: .silent
            ),
        ] {
            let store = S3ChunkStore(client, logger: .silent)
            defer { store.close() }
            let error = #expect(throws: ChunkStoreError.self) { try store.read(chunk.digest, at: location) }
            guard case .unreachable = error else { throw TestFailure("\(String(describing: error))") }
            #expect(throws: ChunkStoreError.self) { try store.store([chunk]) }
        }
    }

    @Test(.enabled(if: isThere, why)) func `what breaks off, stalls or arrives cut is tried again and never half read`()
        throws
    {
        let service = try service(.rclone)
        let proxy = try FaultProxy(upstreamPort: service.port)
        defer { proxy.stop() }
        let store = S3ChunkStore(try client(service, port: proxy.port), logger: .silent)
        defer { store.close() }
        var random = SeededGenerator(for: "S3 faults")
        let content = ChunkContent(random.bytes(count: 300_000))
        let location = try #require(try store.store([content]).first)

        for fault in 0..<4 {
            proxy.set { faults in
                switch fault {
                case 0: faults.toClient.truncateAfterBytes = 20_000
                case 1: faults.toClient.resetAfterBytes = 50_000
                case 2: faults.toServer.resetAfterBytes = 100
                default: faults.toClient.bytesPerSecond = 400_000
                }
            }
            proxy.resetConnections()
            let cure = Thread(name: "cure") {
                _ = Condition(()).wait(timeout: .milliseconds(700)) { _ in Bool?.none }
                proxy.set { $0 = FaultProxy.Faults() }
                proxy.resetConnections()
            }
            #expect(try store.read(content.digest, at: location) == content.bytes)
            let other = ChunkContent(random.bytes(count: 100_000))
            let place = try #require(try store.store([other]).first)
            cure.join()
            #expect(try store.read(other.digest, at: place) == other.bytes)
        }
    }

    @Test(.enabled(if: isThere, why))
    func `a service that is away is an outage with a time to come back, within bounds`() throws {
        let service = try service(.rclone)
        let store = S3ChunkStore(try client(service, patience: .seconds(2)), logger: .silent)
        defer { store.close() }
        let content = ChunkContent([9, 9, 9])
        let location = try #require(try store.store([content]).first)
        service.kill()

        let began = TimeSource.system.now
        let error = #expect(throws: ChunkStoreError.self) { try store.read(content.digest, at: location) }
        #expect(TimeSource.system.now - began < .seconds(5))
        let told = StorageFailure.apiError(try #require(error), .silent)
        #expect(told.status == .serviceUnavailable && told.fields["Retry-After"] != nil)
    }

    @Test func `answers of 500 and 503 are tried again, and for ever they are an outage`() throws {
        let server = try FlakyService()
        defer { server.stop() }
        let client = S3Client(
            try S3Address("s3://daleks?endpoint=http://127.0.0.1:\(server.port)"),
            credentials: .fixed(S3Credentials(accessKey: "A", secretKey: "S", sessionToken: "T")),
            patience: .seconds(8),
            logger: .silent
        )
        defer { client.shutdown() }
        server.answer([500, 503, 200])
        try client.put("key", [1])
        #expect(server.requests.count == 3)
        #expect(server.requests.allSatisfy { $0["x-amz-security-token"] == "T" })
        server.answer([Int](repeating: 503, count: 50))
        let began = TimeSource.system.now
        #expect(throws: S3Client.Failure.unavailable(detail: "status 503")) { try client.get("key", 0..<1) }
        #expect(TimeSource.system.now - began > .milliseconds(1_500), "a short outage outlasts the attempts")
        // A 412 after an attempt whose answer got lost is our own object; HEAD proves it.
        server.answer([500, 412, 200], length: 3)
        try client.put("key", [1, 2, 3])
    }

    // The examples that AWS publishes with the algorithm.
    @Test func `signatures are those of the published examples`() throws {
        let credentials = S3Credentials(
            accessKey: "AKIAIOSFODNN7EXAMPLE",
            secretKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
            sessionToken: nil
        )
        let signature = S3Signature(credentials: credentials, region: "us-east-1")
        let time = Timestamp(seconds: 1_369_353_600)
        func signed(
            _ path: String,
            _ query: [(name: String, value: String)],
            _ fields: [(name: String, value: String)]
        ) throws -> String? {
            signature.fields(
                .get,
                host: "examplebucket.s3.amazonaws.com",
                path: path,
                query: query,
                fields: fields,
                bodyDigest: SHA256.digest(of: [UInt8]()),
                at: time
            ).first { $0.name == "Authorization" }?.value
        }

        #expect(
            try signed("/test.txt", [], [("Range", "bytes=0-9")])?.hasSuffix(
                "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
            ) == true
        )
        #expect(
            try signed("/", [("max-keys", "2"), ("prefix", "J")], [])?.hasSuffix(
                "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"
            ) == true
        )
    }

    @Test func `places are read as they are written and the rest is refused`() throws {
        let address = try S3Address("s3://bucket/a/b/?endpoint=https://minio.example:9000/&region=eu-west-1")
        #expect(address.endpoint == "https://minio.example:9000" && address.host == "minio.example:9000")
        #expect(address.bucket == "bucket" && address.prefix == "a/b/" && address.region == "eu-west-1")
        #expect(try S3Address("s3://bucket").endpoint == "https://s3.us-east-1.amazonaws.com")
        #expect(try S3Address("s3://bucket?endpoint=http://h:80").host == "h")
        for text in [
            "s3:/bucket", "s3://", "s3://Bucket", "s3://b", "s3://bucket?endpoint=ftp://x", "s3://bucket?other=1",
            "s3://bucket?endpoint=http://user@host", "s3://bucket?endpoint=http://host/path", "s3://bucket/a b",
        ] {
            #expect(throws: S3Address.Refusal.self) { try S3Address(text) }
        }
    }

    @Test func `credentials are read again when their file changed`() throws {
        let path = try folder.write("access_key = A\nsecret_key=S1 \n# x\nsession_token = T\n", to: "credentials")
        let keeper = S3CredentialKeeper(.file(path))
        #expect(keeper.credentials() == S3Credentials(accessKey: "A", secretKey: "S1", sessionToken: "T"))
        #expect(!"\(try #require(keeper.credentials()))".contains("S1"))
        try folder.write("access_key = B\nsecret_key = S2\n", to: "credentials")
        var times = [timeval(tv_sec: 1_000, tv_usec: 0), timeval(tv_sec: 1_000, tv_usec: 0)]
        #expect(utimes(path, &times) == 0)
        #expect(keeper.credentials() == S3Credentials(accessKey: "B", secretKey: "S2", sessionToken: nil))
    }

    /// A listing of one object of this size.
    private func listing(size: String) -> [UInt8] {
        let object = "<Key>k</Key><LastModified>2026-11-21T10:16:33.000Z</LastModified><Size>\(size)</Size>"
        return Array("<ListBucketResult><Contents>\(object)</Contents></ListBucketResult>".utf8)
    }

    @Test func `a listing with an object of less than no bytes is none`() {
        #expect(S3Listing(listing(size: "5"))?.objects.map(\.bytes) == [5])
        #expect(S3Listing(listing(size: "-5")) == nil)
    }
}
