import DaleksAPI
import DaleksCore
import DaleksHTTP
import DaleksSystem
import DaleksTestSupport
import Testing

@testable import DaleksFiles

/// Earlier contents and the trash: what stays, for how long, and the way back.
@Suite(.bothDatabases) struct VersionTests {
    let region: TestRegion
    let device: TestDevice

    init() throws {
        region = try TestRegion(bytesQuota: 1_000)
        device = try TestDevice(region)
    }

    private func write(_ text: String, to file: NodeID, over base: Revision = 0) throws -> Revision {
        try #require(try device.run(device.commit(Array(text.utf8), to: file, base: .content(base))).content)
    }

    private func text(_ file: NodeID, at content: Revision) throws -> String {
        String(decoding: try device.bytes(file, at: content), as: UTF8.self)
    }

    private func remove(_ text: String, _ node: NodeID, in parent: NodeID? = nil) throws {
        let removal = Mutation.remove(parent: parent ?? device.root, name: name(text), node: node, time: moment)
        #expect(try device.run(removal).isDone)
    }

    private var usage: UsageRecord { get throws { try region.store.usage(of: device.owner) } }

    @Test func `each content that was replaced is a version and comes back as the newest`() throws {
        let file = try device.make("a")
        let first = try write("one", to: file)
        let second = try write("three", to: file, over: first)

        let before = try region.store.versions(of: file, for: device.owner).versions
        #expect(before.map(\.content) == [second, first] && before[0].superseded == nil && before[1].size == 3)
        #expect(try usage.bytesUsed == 5 && usage.versionsBytes == 3)
        let stale = #expect(throws: APIError.self) {
            try region.store.restoreVersion(first, of: file, over: first, by: device.owner)
        }
        #expect(stale?.code == .revisionConflict)
        let restored = try region.store.restoreVersion(first, of: file, over: second, by: device.owner).value

        #expect(try text(file, at: restored.content) == "one" && restored.attributes.size == 3)
        let after = try region.store.versions(of: file, for: device.owner).versions.map(\.content)
        #expect(after == [restored.content, second, first])
    }

    @Test func `versions follow the name when an editor replaces a file by rename`() throws {
        let old = try device.make("text")
        let first = try write("first", to: old)
        let second = try write("second", to: old, over: first)
        let new = try device.make("text~")
        let third = try write("third", to: new)
        let rename = Mutation.Rename(
            parent: device.root,
            name: name("text~"),
            node: new,
            toParent: device.root,
            toName: name("text"),
            replaces: old,
            isExchange: false,
            time: moment
        )

        #expect(try device.run(.rename(rename)).isDone)

        let versions = try region.store.versions(of: new, for: device.owner).versions
        #expect(versions.map(\.content) == [third, second, first])
        #expect(try text(new, at: second) == "second" && text(new, at: first) == "first")
        #expect(try region.store.trash(of: device.owner, after: nil, limit: 9).items.isEmpty)
        // The old node goes after a grace, its contents stay.
        region.clock.advance(by: .seconds(2 * 86_400))
        try region.collector().collect()
        #expect(throws: APIError.self) { try device.bytes(old, at: second) }
        #expect(try text(new, at: second) == "second")
    }

    @Test func `pinned and labelled versions are never thinned`() throws {
        let file = try device.make("a")
        var contents = [try write("0", to: file)]
        for number in 1..<6 { contents.append(try write("\(number)", to: file, over: contents[number - 1])) }
        func mark(_ content: Revision, _ change: VersionChange) throws -> VersionRecord {
            try region.store.changeVersion(content, of: file, change, by: device.owner)
        }
        #expect(try mark(contents[0], VersionChange(isPinned: true)).isPinned)
        #expect(try mark(contents[2], VersionChange(label: "draft")).label == "draft")

        for _ in 0..<60 {
            region.clock.advance(by: .seconds(86_400))
            try region.collector().collect()
        }

        let kept = try region.store.versions(of: file, for: device.owner).versions.map(\.content)
        #expect(kept == [5, 4, 2, 0].map { contents[$0] })
        #expect(try usage.versionsBytes == 3)
    }

    @Test func `versions and trash make room before anybody is refused, and removals are never refused`() throws {
        let file = try device.make("a")
        let big = String(repeating: "x", count: 400)
        let first = try write(big + "1", to: file)
        let second = try write(big + "2", to: file, over: first)
        let third = try write(big + "3", to: file, over: second)
        #expect(try usage.bytesUsed == 401 && usage.versionsBytes <= 599)
        #expect(try region.store.versions(of: file, for: device.owner).versions.map(\.content) == [third, second])
        try remove("a", file)
        #expect(try usage.bytesUsed == 0 && usage.trashBytes == 401)

        let other = try device.make("b")
        _ = try write(String(repeating: "y", count: 900), to: other)

        #expect(try usage.trashBytes == 0 && usage.versionsBytes == 0)
        #expect(try region.store.trash(of: device.owner, after: nil, limit: 9).items.isEmpty)
        let more = try device.make("c")
        let refused = try device.run(device.commit([UInt8](repeating: 1, count: 200), to: more, base: .content(0)))
        #expect(refused.deniedCode == "quota_exceeded")
        try remove("b", other)
    }

    @Test func `what was removed comes back where it was, with the folders above it`() throws {
        let folder = try device.make("folder", .folder)
        let file = try device.make("a.txt", in: folder)
        let content = try write("text", to: file)
        try remove("a.txt", file, in: folder)
        try remove("folder", folder)
        #expect(try usage.filesUsed == 0 && usage.trashBytes == 4)
        #expect(
            try region.store.trash(of: device.owner, after: nil, limit: 9).items.map(\.name.description).sorted() == [
                "a.txt", "folder",
            ]
        )

        let back = try region.store.restoreTrash(file, TrashRestoreRequest(), of: device.owner).value

        #expect(back.name == name("a.txt") && back.node.id == file)
        #expect(try device.children(device.root).map(\.node.id) == [folder])
        #expect(try device.children(folder).map(\.node.id) == [file])
        #expect(try text(file, at: content) == "text")
        #expect(try usage.bytesUsed == 4 && usage.filesUsed == 2 && usage.trashBytes == 0)
        #expect(try device.node(folder).attributes.links == 2)
    }

    @Test func `a name that is taken is a conflict that the caller decides`() throws {
        let old = try device.make("a.txt")
        _ = try write("old", to: old)
        try remove("a.txt", old)
        let new = try device.make("a.txt")
        _ = try write("newer", to: new)
        func restore(_ rule: TrashRestoreRequest.ConflictRule) throws -> EntryRecord {
            try region.store.restoreTrash(old, TrashRestoreRequest(onConflict: rule), of: device.owner).value
        }

        let error = #expect(throws: APIError.self) { try restore(.fail) }
        #expect(error?.code == .alreadyExists)
        #expect(try restore(.rename).name == name("a (restored).txt"))
        try remove("a (restored).txt", old)
        let replacing = TrashRestoreRequest(toName: name("a.txt"), onConflict: .replace)
        #expect(try region.store.restoreTrash(old, replacing, of: device.owner).value.name == name("a.txt"))
        #expect(try region.store.trash(of: device.owner, after: nil, limit: 9).items.map(\.node.id) == [new])
        #expect(try usage.bytesUsed == 3 && usage.trashBytes == 5)
    }

    @Test func `nobody else sees or empties a trash, and emptied it is empty`() throws {
        let other = try TestDevice(region)
        let files = try (0..<5).map { try device.make("\($0)") }
        for (number, file) in files.enumerated() { try remove("\(number)", file) }

        let first = try region.store.trash(of: device.owner, after: nil, limit: 3)
        let second = try region.store.trash(of: device.owner, after: first.next, limit: 3)
        #expect(Set((first.items + second.items).map(\.node.id)) == Set(files) && second.next == nil)
        #expect(try region.store.trash(of: other.owner, after: nil, limit: 9).items.isEmpty)
        for refused in [
            #expect(throws: APIError.self) { try region.store.purgeTrash(files[0], of: other.owner) },
            #expect(throws: APIError.self) {
                try region.store.restoreTrash(files[0], TrashRestoreRequest(), of: other.owner)
            },
        ] { #expect(refused?.code == .notFound) }
        try region.store.emptyTrash(of: other.owner)
        try region.store.purgeTrash(files[0], of: device.owner)
        #expect(try region.store.trash(of: device.owner, after: nil, limit: 9).items.count == 4)
        region.clock.advance(by: .seconds(1))
        try region.store.emptyTrash(of: device.owner)

        #expect(try region.store.trash(of: device.owner, after: nil, limit: 9).items.isEmpty)
        #expect(try usage.trashBytes == 0)
    }

    @Test func `all versions of an hour, one an hour of a day, one a day of a month, one a week`() throws {
        let file = try device.make("a")
        var last: Revision = 0
        // Three a day for forty days, then four an hour for two.
        for round in 0..<(40 * 3 + 48 * 4) {
            last = try write("\(round % 10)", to: file, over: last)
            region.clock.advance(by: .seconds(round < 120 ? 28_800 : 900))
            if round % 12 == 0 { try region.collector().collect() }
        }
        try region.collector().collect()

        let now = region.clock.source.wall
        let versions = try region.store.versions(of: file, for: device.owner).versions
        let ages = versions.compactMap(\.superseded).map { now - $0 }
        #expect((3...5).contains(ages.count { $0 < .seconds(3_600) }))
        #expect((22...25).contains(ages.count { $0 >= .seconds(3_600) && $0 < .seconds(86_400) }))
        #expect((28...31).contains(ages.count { $0 >= .seconds(86_400) && $0 < .seconds(30 * 86_400) }))
        #expect((1...3).contains(ages.count { $0 >= .seconds(30 * 86_400) }))
    }
}
