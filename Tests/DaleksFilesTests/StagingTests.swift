import DaleksAPI
import DaleksCore
import DaleksCrypto
import DaleksHTTP
import DaleksSystem
import DaleksTestSupport
import Testing

@testable import DaleksFiles

/// What is put and never becomes a file has a bound too.
@Suite(.bothDatabases) struct StagingTests {
    let region: TestRegion
    let surfaces: TestSurfaces
    let device: TestDevice
    private var random = SeededGenerator(for: "staging")

    init() throws {
        region = try TestRegion(bytesQuota: 1 << 20)
        surfaces = try TestSurfaces(region)
        device = try TestDevice(region)
    }

    private mutating func chunks(_ count: Int) -> [ChunkContent] {
        (0..<count).map { _ in ChunkContent(random.bytes(count: Limits.spanBytes)) }
    }

    private func isFull(_ body: () throws -> Void) -> Bool {
        do {
            try body()
            return false
        } catch {
            return (error as? APIError)?.code == .quotaExceeded
        }
    }

    @Test mutating func `chunks that no file names fill no more than the quota and a little, until they are given up`()
        throws
    {
        _ = try region.content.put(chunks(17), of: device.owner)
        let more = chunks(1)
        #expect(isFull { _ = try region.content.put(more, of: device.owner) })

        region.clock.advance(by: .seconds(4_000))
        try region.collector().collect()
        _ = try region.content.put(more, of: device.owner)

        // What became files counts there and not here.
        let other = try TestDevice(region)
        for number in 0..<2 {
            let content = chunks(12)
            _ = try region.content.put(content, of: other.owner)
            guard number == 0 else { continue }
            let file = try other.make("f")
            let commit = Mutation.Commit(
                node: file,
                base: .content(0),
                size: Int64(Limits.spanBytes),
                spans: [Span(index: 0, bytes: Limits.spanBytes, source: .chunk(content[0].digest))],
                modified: moment,
                time: moment
            )
            #expect(try other.run(.commit(commit)).isDone)
            region.clock.advance(by: .seconds(4_000))
            try region.collector().collect()
        }
    }

    @Test mutating func `an upload that never ends is refused while its bytes arrive`() throws {
        let fields = [("Tus-Resumable", "1.0.0"), ("Upload-Concat", "partial"), ("Upload-Defer-Length", "1")]
        let made = try surfaces.send(.post, "/v1/uploads", as: device.owner, fields: fields)
        let path = try #require(made.fields["Location"])
        var (offset, statuses): (Int, [Int]) = (0, [])
        for _ in 0..<4 {
            let bytes = random.bytes(count: 6 * Limits.spanBytes)
            let fields = [
                ("Tus-Resumable", "1.0.0"), ("Upload-Offset", "\(offset)"),
                ("Content-Type", "application/offset+octet-stream"),
            ]
            statuses.append(try surfaces.send(.patch, path, as: device.owner, bytes, fields: fields).status)
            offset += bytes.count
        }
        #expect(statuses.prefix(2) == [204, 204] && statuses[2] == 507)
    }
}
