import DaleksCache
import DaleksCore
import DaleksSync
import DaleksSystem
import DaleksTestSupport
import Testing

/// docs/conflicts.md, cell by cell: two machines that do something at the same time. What `here` does reaches the
/// region; `there` is away meanwhile and meets it.
@Suite struct ConflictTableTests {
    private let storage: RegionStorage
    private let here: Machine
    private let there: Machine

    init() throws {
        let owner = UserID.random(at: .zero)
        storage = try RegionStorage()
        here = try Machine(storage, owner: owner, name: "here")
        there = try Machine(storage, owner: owner, name: "there")
    }

    private func begin(_ body: (Machine) throws -> Void) throws {
        try body(here)
        try here.drain()
        let before = try here.picture()
        try #require(eventually { (try? there.picture()) == before })
    }

    /// The files that both show in the end, and nil for what is none.
    private func apart(
        _ first: (Machine) throws -> Void,
        _ second: (Machine) throws -> Void
    ) throws -> [String: [UInt8]?] {
        defer {
            here.stop()
            there.stop()
        }
        there.region.setUp(false)
        try second(there)
        try first(here)
        try here.drain()
        there.region.setUp(true)
        try there.drain()
        let agree = eventually {
            here.engine.pendingCount + there.engine.pendingCount == 0
                && (try? here.picture()) == (try? there.picture())
        }
        #expect(agree, "\((try? here.picture()) ?? [:]) \((try? there.picture()) ?? [:])")
        var files: [String: [UInt8]?] = [:]
        for path in try here.picture().keys {
            files[path] = try here.lookup(path).attributes.kind == .file ? .some(try here.read(path)) : .some(nil)
        }
        return files
    }

    /// The one path that begins so.
    private static func copy(of name: String, in files: [String: [UInt8]?]) throws -> String {
        let copies = files.keys.filter { $0.hasPrefix("\(name) (conflict from there ") }
        try #require(copies.count == 1, "\(files.keys.sorted())")
        return copies[0]
    }

    private static func link(_ path: String, as name: String, on machine: Machine) throws {
        let node = try machine.lookup(path).inode
        let name = try Name(name)
        _ = try machine.doing { tree throws(Obstacle) in try tree.link(node, as: name, in: .root) }
    }

    private static func setMode(_ mode: UInt32, of path: String, on machine: Machine) throws {
        let node = try machine.lookup(path).inode
        var edit = LocalTree.AttributeEdit()
        edit.mode = mode
        let wanted = edit
        _ = try machine.doing { tree throws(Obstacle) in try tree.setAttributes(of: node, wanted) }
    }

    // MARK: Making

    @Test func `create, where a file has the name: both are kept`() throws {
        try begin { _ in }
        let files = try apart({ try $0.write([1], to: "a") }, { try $0.write([2], to: "a") })
        #expect(try files["a"] == [1] && files[Self.copy(of: "a", in: files)] == [2] && files.count == 2)
    }

    @Test func `create, where a folder has the name: both are kept`() throws {
        try begin { _ in }
        let files = try apart(
            {
                try $0.make("a", .folder)
                try $0.write([1], to: "a/in it")
            },
            { try $0.write([2], to: "a") }
        )
        #expect(try files["a/in it"] == [1] && files[Self.copy(of: "a", in: files)] == [2])
    }

    @Test func `mkdir, where a folder has the name: both are kept with what is in them`() throws {
        try begin { _ in }
        let files = try apart(
            {
                try $0.make("a", .folder)
                try $0.write([1], to: "a/one")
            },
            {
                try $0.make("a", .folder)
                try $0.write([2], to: "a/two")
            }
        )
        let copy = try Self.copy(of: "a", in: files.filter { !$0.key.contains("/") })
        #expect(files["a/one"] == [1] && files["\(copy)/two"] == [2])
    }

    @Test func `create, where the folder was removed: it is made anew`() throws {
        try begin { try $0.make("folder", .folder) }
        let files = try apart(
            { try $0.remove("folder", isFolder: true) },
            { try $0.write([2], to: "folder/file") }
        )
        #expect(files == ["folder": nil, "folder/file": [2]])
    }

    @Test func `create, where the folder was removed, here too once the file had left it: the file is there`() throws {
        try begin { try $0.make("folder", .folder) }
        let files = try apart(
            { try $0.remove("folder", isFolder: true) },
            {
                try $0.write([2], to: "folder/file")
                try $0.rename("folder/file", to: "file")
                try $0.remove("folder", isFolder: true)
            }
        )
        #expect(files == ["file": [2]])
    }

    @Test func `create, where the folder was removed, and moved here since: it is made anew where it is here`() throws {
        try begin {
            try $0.make("folder", .folder)
            try $0.make("home", .folder)
        }
        let files = try apart(
            { try $0.remove("folder", isFolder: true) },
            {
                try $0.write([2], to: "folder/file")
                try $0.rename("folder", to: "home/moved")
            }
        )
        #expect(files == ["home": nil, "home/moved": nil, "home/moved/file": [2]])
    }

    // MARK: Contents

    @Test func `commit, where the file was changed, and moved here since: the other stands where it was`() throws {
        try begin {
            try $0.make("folder", .folder)
            try $0.write([1], to: "folder/file")
        }
        _ = (try there.read("folder/file"), try there.list("folder"))
        let (tree, folder) = (there.engine.tree, try there.lookup("folder").inode)
        let (file, moved, isMoved) = (try Name("file"), try Name("moved"), Lock(false))
        let files = try apart(
            { try $0.write([2], to: "folder/file") },
            {
                try $0.write([3], to: "folder/file")
                // While the commit is on its way.
                $0.region.onMutation {
                    guard !isMoved.withLock({ was in (was, was = true).0 }) else { return }
                    _ = try? tree.rename(file, in: folder, to: moved, in: .root, .replace)
                }
            }
        )
        #expect(try files["folder/file"] == [2] && files[Self.copy(of: "moved", in: files)] == [3], "\(files)")
    }

    @Test func `link, where the name that was left was all the region had: the bytes are kept`() throws {
        try begin { try $0.write([1], to: "file") }
        let files = try apart(
            { try $0.remove("file") },
            {
                try $0.write([2], to: "file")
                try Self.link("file", as: "linked", on: $0)
                try $0.remove("file")
            }
        )
        #expect(files == ["linked": [2]])
    }

    @Test func `commit, where the file was changed and not all of it is here: the rest is fetched`() throws {
        var random = SeededGenerator(seed: 4)
        let old = random.bytes(count: 3 << 20)
        try here.write(old, to: "large")
        try here.drain()
        try #require(eventually { (try? there.list()) == ["large"] })
        let node = try there.lookup("large")
        let content = try there.doing { tree throws(Obstacle) in try tree.openContent(node.inode) }
        var bytes = [UInt8](repeating: 0, count: 1)
        _ = try bytes.withUnsafeMutableBytes { buffer in
            try there.doing { _ throws(Obstacle) in try content.read(into: buffer, at: 5) }
        }
        try there.engine.tree.closeContent(content)

        let files = try apart(
            { try $0.write([1, 1], to: "large", at: 2 << 20) },
            { try $0.write([2, 2], to: "large", at: 10) }
        )
        var (mine, theirs) = (old, old)
        mine.replaceSubrange(2 << 20..<(2 << 20) + 2, with: [1, 1])
        theirs.replaceSubrange(10..<12, with: [2, 2])
        #expect(files["large"] == mine)
        #expect(try files[Self.copy(of: "large", in: files)] == theirs)
    }

    @Test func `commit, where a file took its place by rename: both are kept`() throws {
        try begin { try $0.write([0], to: "a") }
        let files = try apart(
            {
                try $0.write([1], to: "new")
                try $0.rename("new", to: "a")
            },
            { try $0.write([2], to: "a") }
        )
        #expect(files["a"] == [1] && files.values.contains([2]) && files.count == 2)
    }

    @Test func `commit of the bytes that the file has: nothing happens`() throws {
        try begin { try $0.write([0], to: "a") }
        let files = try apart({ try $0.write([1, 2], to: "a") }, { try $0.write([1, 2], to: "a") })
        #expect(files == ["a": [1, 2]])
    }

    @Test func `a file that was moved elsewhere takes what was written to it along`() throws {
        try begin {
            try $0.write([0], to: "a")
            try $0.make("folder", .folder)
        }
        let files = try apart({ try $0.rename("a", to: "folder/b") }, { try $0.write([2], to: "a") })
        #expect(files == ["folder": nil, "folder/b": [2]])
    }

    // MARK: Removing

    @Test func `remove, where it is gone already: nothing happens`() throws {
        try begin { try $0.write([0], to: "a") }
        let files = try apart({ try $0.remove("a") }, { try $0.remove("a") })
        #expect(files.isEmpty)
    }

    @Test func `rmdir, where somebody put something in: the folder comes back`() throws {
        try begin { try $0.make("folder", .folder) }
        let files = try apart({ try $0.write([1], to: "folder/file") }, { try $0.remove("folder", isFolder: true) })
        #expect(files == ["folder": nil, "folder/file": [1]])
    }

    @Test func `remove, where it was moved: it stays where it is`() throws {
        try begin { try $0.write([0], to: "a") }
        let files = try apart({ try $0.rename("a", to: "b") }, { try $0.remove("a") })
        #expect(files == ["b": [0]])
    }

    // MARK: Attributes

    @Test func `attributes, where the file was removed: nothing comes back`() throws {
        try begin { try $0.write([0], to: "a") }
        let files = try apart({ try $0.remove("a") }, { try Self.setMode(0o600, of: "a", on: $0) })
        #expect(files.isEmpty)
    }

    @Test func `attributes, where the content was changed: both hold`() throws {
        try begin { try $0.write([0], to: "a") }
        let files = try apart({ try $0.write([1], to: "a") }, { try Self.setMode(0o600, of: "a", on: $0) })
        #expect(files == ["a": [1]])
    }

    // MARK: Links

    @Test func `link, where the name is taken: it gets another`() throws {
        try begin { try $0.write([0], to: "a") }
        let files = try apart({ try $0.write([1], to: "b") }, { try Self.link("a", as: "b", on: $0) })
        #expect(try files["a"] == [0] && files["b"] == [1] && files[Self.copy(of: "b", in: files)] == [0])
    }

    @Test func `link, where the file was removed: the name goes again`() throws {
        try begin { try $0.write([0], to: "a") }
        let files = try apart({ try $0.remove("a") }, { try Self.link("a", as: "b", on: $0) })
        #expect(files.isEmpty)
    }

    // MARK: Renaming

    @Test func `rename, where the name is taken: both are kept`() throws {
        try begin { try $0.write([0], to: "a") }
        let files = try apart({ try $0.write([1], to: "b") }, { try $0.rename("a", to: "b") })
        #expect(try files["b"] == [1] && files[Self.copy(of: "b", in: files)] == [0] && files.count == 2)
    }

    @Test func `rename of what was renamed: the first one holds`() throws {
        try begin { try $0.write([0], to: "a") }
        let files = try apart({ try $0.rename("a", to: "b") }, { try $0.rename("a", to: "c") })
        #expect(files == ["b": [0]])
    }

    @Test func `rename of what was removed: it is gone`() throws {
        try begin { try $0.write([0], to: "a") }
        let files = try apart({ try $0.remove("a") }, { try $0.rename("a", to: "b") })
        #expect(files.isEmpty)
    }

    @Test func `renames that would put two folders into each other: the first one holds`() throws {
        try begin {
            try $0.make("a", .folder)
            try $0.make("b", .folder)
            try $0.write([1], to: "a/one")
            try $0.write([2], to: "b/two")
        }
        let files = try apart({ try $0.rename("a", to: "b/a") }, { try $0.rename("b", to: "a/b") })
        #expect(files == ["b": nil, "b/a": nil, "b/a/one": [1], "b/two": [2]])
    }

    @Test func `rename into a folder that was removed: it is undone`() throws {
        try begin {
            try $0.write([0], to: "a")
            try $0.make("folder", .folder)
        }
        let files = try apart({ try $0.remove("folder", isFolder: true) }, { try $0.rename("a", to: "folder/a") })
        #expect(files == ["a": [0]])
    }

    @Test func `rename over a folder that was filled: both are kept`() throws {
        try begin {
            try $0.make("a", .folder)
            try $0.write([1], to: "a/one")
            try $0.make("b", .folder)
        }
        let files = try apart({ try $0.write([2], to: "b/two") }, { try $0.rename("a", to: "b") })
        let copy = try Self.copy(of: "b", in: files.filter { !$0.key.contains("/") })
        #expect(files["b/two"] == [2] && files["\(copy)/one"] == [1])
    }

    @Test func `rename over a file that was changed: both are kept`() throws {
        try begin {
            try $0.write([0], to: "a")
            try $0.write([9], to: "b")
        }
        let files = try apart({ try $0.write([1], to: "b") }, { try $0.rename("a", to: "b") })
        // The region replaces what has the name; the content that was there is a version of the file now.
        #expect(files == ["b": [0]])
    }

    @Test func `an exchange of which one has moved is undone`() throws {
        try begin {
            try $0.write([1], to: "a")
            try $0.write([2], to: "b")
        }
        let files = try apart({ try $0.rename("b", to: "c") }, { try $0.rename("a", to: "b", .exchange) })
        #expect(files == ["a": [1], "c": [2]])
    }

    // MARK: News

    @Test func `a folder that goes elsewhere stays where something in it was written`() throws {
        try begin {
            try $0.make("folder", .folder)
            try $0.write([0], to: "folder/file")
        }
        let files = try apart(
            {
                try $0.remove("folder/file")
                try $0.remove("folder", isFolder: true)
            },
            { try $0.write([2], to: "folder/file") }
        )
        #expect(files == ["folder": nil, "folder/file": [2]])
    }

    @Test func `a folder that was renamed elsewhere has what was made in it here`() throws {
        try begin {
            try $0.make("folder", .folder)
            try $0.write([0], to: "folder/file")
        }
        let files = try apart({ try $0.rename("folder", to: "other") }, { try $0.write([2], to: "folder/new") })
        #expect(files == ["other": nil, "other/file": [0], "other/new": [2]])
    }
}
