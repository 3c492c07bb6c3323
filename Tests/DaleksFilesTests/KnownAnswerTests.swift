import DaleksAPI
import DaleksCore
import DaleksHTTP
import DaleksSystem
import DaleksTestSupport
import Testing

@testable import DaleksFiles

/// Small files that are read again and again are answered from memory, and nobody can tell.
@Suite(.bothDatabases) struct KnownAnswerTests {
    let region: TestRegion
    let surfaces: TestSurfaces
    let owner = UserID.random(at: .zero)
    let guest = UserID.random(at: .zero)

    init() throws {
        region = try TestRegion()
        surfaces = try TestSurfaces(region)
    }

    private func put(_ text: String, _ path: String = "note") throws -> NodeRecord {
        try surfaces.send(.put, "/v1/paths/\(path)", as: owner, Array(text.utf8)).json()
    }

    private func read(_ path: String, as user: UserID) throws -> String {
        let answer = try surfaces.send(.get, path, as: user)
        return answer.status == 200 ? answer.text : "\(answer.status)"
    }

    @Test func `what is read again is as it is now`() throws {
        let node = try put("one")
        for _ in 0..<2 { #expect(try read("/v1/paths/note", as: owner) == "one") }

        _ = try put("two")
        for _ in 0..<2 {
            #expect(try read("/v1/paths/note", as: owner) == "two")
            #expect(try read("/v1/nodes/\(node.id)/content", as: owner) == "two")
        }

        let moved = try surfaces.send(.patch, "/v1/nodes/\(node.id)", as: owner, Array(#"{"name":"other"}"#.utf8))
        #expect(moved.status == 200)
        #expect(try read("/v1/paths/note", as: owner) == "404")
        #expect(try read("/v1/paths/other", as: owner) == "two")
        #expect(try surfaces.send(.delete, "/v1/paths/other", as: owner).status == 204)
        #expect(try read("/v1/paths/other", as: owner) == "404")
    }

    @Test func `whose right was taken, or has ended, reads no more`() throws {
        let node = try put("shared")
        let path = "/v1/nodes/\(node.id)/content"
        #expect(try read(path, as: guest) == "404")

        for ends in [nil, region.clock.source.wall + .seconds(60)] {
            let request = GrantRequest(rights: .read, expires: ends)
            _ = try region.store.grant(request, to: guest, on: node.id, by: owner)
            for _ in 0..<2 { #expect(try read(path, as: guest) == "shared") }
            if ends == nil {
                _ = try region.store.revoke(guest, on: node.id, by: owner)
            } else {
                region.clock.advance(by: .seconds(61))
            }
            #expect(try read(path, as: guest) == "404")
        }
    }

    @Test func `conditions and ranges hold for what is remembered`() throws {
        _ = try put("0123456789")
        for _ in 0..<2 {
            let whole = try surfaces.send(.get, "/v1/paths/note", as: owner)
            let tag = try #require(whole.fields["ETag"])
            #expect(whole.text == "0123456789")
            let part = try surfaces.send(.get, "/v1/paths/note", as: owner, fields: [("Range", "bytes=2-4")])
            #expect(part.status == 206 && part.text == "234")
            let same = try surfaces.send(.get, "/v1/paths/note", as: owner, fields: [("If-None-Match", tag)])
            #expect(same.status == 304)
            let inline = try surfaces.send(.get, "/v1/paths/note?inline=1", as: owner)
            #expect(inline.text == "0123456789")
        }
    }

    /// While one writes, another reads: what a write was answered is what is read from then on.
    @Test func `nobody reads what an answered write replaced`() throws {
        _ = try put("0")
        let written = Lock(0)
        let writer = Thread(name: "writer") { [self] in
            for number in 1...200 {
                guard (try? put("\(number)")) != nil else { return }
                written.withLock { $0 = number }
            }
        }
        var last = 0
        while written.withLock({ $0 }) < 200, last < 200 {
            let atLeast = written.withLock { $0 }
            let found = Int(try read("/v1/paths/note", as: owner)) ?? -1
            #expect(found >= max(atLeast, last))
            last = found
        }
        writer.join()
        #expect(try read("/v1/paths/note", as: owner) == "200")
    }
}

struct TreeStampTests {
    @Test func `a tree is as it was until somebody begins to write it, and again after`() throws {
        let stamps = TreeStamps()
        let before = stamps.now
        #expect(stamps.isUnchanged(7, since: before))

        stamps.writing { writing in
            #expect(stamps.isUnchanged(7, since: before))
            writing.note(7)
            #expect(!stamps.isUnchanged(7, since: before))
            // What is looked at now may be from before, and is not good when it has ended.
            #expect(!stamps.isUnchanged(7, since: stamps.now))
        }

        #expect(!stamps.isUnchanged(7, since: before))
        #expect(stamps.isUnchanged(7, since: stamps.now))
        #expect(stamps.isUnchanged(8, since: before))
    }

    @Test func `a transaction that fails spoils what it touched, and no more`() {
        let stamps = TreeStamps()
        let before = stamps.now

        #expect(throws: TestFailure.self) {
            try stamps.writing { writing in
                writing.note(1)
                throw TestFailure("no")
            }
        }

        #expect(!stamps.isUnchanged(1, since: before))
        #expect(stamps.isUnchanged(1, since: stamps.now))
        #expect(stamps.isUnchanged(2, since: before))
    }
}
