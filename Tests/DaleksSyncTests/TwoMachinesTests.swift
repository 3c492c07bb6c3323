import DaleksCache
import DaleksCore
import DaleksSync
import DaleksSystem
import DaleksTestSupport
import Testing

@Suite struct TwoMachinesTests {
    let storage: RegionStorage
    let owner = UserID.random(at: .zero)

    init() throws { storage = try RegionStorage() }

    private func machine(_ name: String, folder: ScratchFolder = ScratchFolder()) throws -> Machine {
        try Machine(storage, owner: owner, name: name, folder: folder)
    }

    @Test func `what one machine writes another reads`() throws {
        let (here, there) = (try machine("here"), try machine("there"))
        defer { here.stop(); there.stop() }

        try here.make("folder", .folder)
        try here.write(Array("hello".utf8), to: "folder/greeting")
        let large = [UInt8](repeating: 7, count: 3 << 20) + [1, 2, 3]
        try here.write(large, to: "large")
        try here.drain()

        #expect(try there.list() == ["folder", "large"])
        #expect(try there.read("folder/greeting") == Array("hello".utf8))
        #expect(try there.read("large") == large)
    }

    @Test func `a change elsewhere shows without being asked for`() throws {
        let (here, there) = (try machine("here"), try machine("there"))
        defer { here.stop(); there.stop() }
        try here.write([1], to: "file")
        try here.drain()
        #expect(try there.read("file") == [1])

        try here.write([2, 3], to: "file", truncating: true)
        try here.write([9], to: "other")
        try here.drain()

        #expect(eventually { (try? there.read("file")) == [2, 3] && (try? there.list()) == ["file", "other"] })
    }

    @Test func `of several contents that come in one page the last is shown, in a file that is open too`() throws {
        let (here, there) = (try machine("here"), try machine("there"))
        defer { here.stop(); there.stop() }
        try here.write([1], to: "file")
        try here.drain()
        #expect(try there.read("file") == [1])
        let inode = try there.lookup("file").inode
        let content = try there.doing { tree throws(Obstacle) in try tree.openContent(inode) }
        there.region.setUp(false)

        try here.write([2], to: "file", truncating: true)
        try here.drain()
        try here.write([3, 3], to: "file", truncating: true)
        try here.drain()
        there.region.setUp(true)

        #expect(eventually { (try? there.read("file")) == [3, 3] })
        #expect(content.live.size == 2)
        try there.engine.tree.closeContent(content)
        #expect(try there.read("file") == [3, 3])
    }

    @Test func `a name removed elsewhere goes, and a rename follows`() throws {
        let (here, there) = (try machine("here"), try machine("there"))
        defer { here.stop(); there.stop() }
        try here.make("a", .folder)
        try here.write([1], to: "a/one")
        try here.write([2], to: "a/two")
        try here.drain()
        #expect(try there.list("a") == ["one", "two"])

        try here.remove("a/one")
        try here.rename("a/two", to: "b")
        try here.remove("a", isFolder: true)
        try here.drain()

        #expect(eventually { (try? there.list()) == ["b"] })
        #expect(try there.read("b") == [2])
    }

    @Test func `two files of one name are both kept`() throws {
        let (here, there) = (try machine("here"), try machine("there"))
        defer { here.stop(); there.stop() }
        _ = (try here.list(), try there.list())
        there.region.setUp(false)
        try here.write([1], to: "report.txt")
        try there.write([2, 2], to: "report.txt")
        try here.drain()

        there.region.setUp(true)
        try there.drain()

        #expect(eventually { (try? there.list().count) == 2 && (try? here.list().count) == 2 })
        let names = try here.list()
        #expect(names.contains("report.txt"))
        let copy = try #require(names.first { $0.hasPrefix("report (conflict from there ") && $0.hasSuffix(").txt") })
        #expect(try here.read("report.txt") == [1])
        #expect(try here.read(copy) == [2, 2])
        #expect(eventually { (try? there.picture()) == (try? here.picture()) })
    }

    @Test func `two edits of one file are both kept`() throws {
        let (here, there) = (try machine("here"), try machine("there"))
        defer { here.stop(); there.stop() }
        try here.write([0], to: "notes")
        try here.drain()
        #expect(try there.read("notes") == [0])

        there.region.setUp(false)
        try here.write([1], to: "notes")
        try there.write([2], to: "notes")
        try here.drain()
        there.region.setUp(true)
        try there.drain()

        #expect(eventually { (try? here.list().count) == 2 && (try? there.picture()) == (try? here.picture()) })
        #expect(try here.read("notes") == [1])
        let copy = try #require(try here.list().first { $0 != "notes" })
        #expect(try here.read(copy) == [2])
    }

    @Test func `what was edited here and removed there is kept`() throws {
        let (here, there) = (try machine("here"), try machine("there"))
        defer { here.stop(); there.stop() }
        try here.write([0], to: "kept")
        try here.drain()
        #expect(try there.read("kept") == [0])

        there.region.setUp(false)
        try there.write([5], to: "kept")
        try here.remove("kept")
        try here.drain()
        there.region.setUp(true)
        try there.drain()

        #expect(eventually { (try? here.read("kept")) == [5] && (try? there.read("kept")) == [5] })
    }

    @Test func `edits of a file come back with it when the rename over it does not fit`() throws {
        let (here, there) = (try machine("here"), try machine("there"))
        defer { here.stop(); there.stop() }
        try here.write([1], to: "draft")
        try here.write([2], to: "final")
        try here.drain()
        #expect(try there.read("draft") == [1] && there.read("final") == [2])

        there.region.setUp(false)
        try there.write([3, 3], to: "final")
        try there.rename("draft", to: "final")
        try here.rename("draft", to: "elsewhere")
        try here.drain()
        there.region.setUp(true)
        try there.drain()

        #expect(eventually { (try? there.picture()) == (try? here.picture()) && (try? here.read("final")) == [3, 3] })
        #expect(try there.read("final") == [3, 3] && there.read("elsewhere") == [1])
    }

    @Test func `work without the region is kept and sent later`() throws {
        let here = try machine("here")
        defer { here.stop() }
        _ = try here.list()
        here.region.setUp(false)

        try here.make("folder", .folder)
        for number in 0..<50 { try here.write([UInt8(number)], to: "folder/\(number)") }
        for number in 0..<25 { try here.remove("folder/\(number)") }
        #expect(here.engine.pendingCount > 0)
        #expect(try here.read("folder/30") == [30])
        here.region.setUp(true)
        try here.drain()

        let there = try machine("there")
        defer { there.stop() }
        #expect(try there.list("folder").count == 25)
        #expect(try there.read("folder/49") == [49])
    }

    @Test func `an answer that is lost changes nothing twice`() throws {
        let here = try machine("here")
        defer { here.stop() }
        _ = try here.list()
        here.region.loseAnswers(3)

        for number in 0..<20 {
            try here.write([UInt8(number)], to: "file \(number)")
            try here.rename("file \(number)", to: "renamed \(number)")
        }
        try here.drain()

        let there = try machine("there")
        defer { there.stop() }
        #expect(try there.list() == (0..<20).map { "renamed \($0)" }.sorted())
        #expect(try there.read("renamed 7") == [7])
    }

    @Test func `what is written during an upload goes up afterwards`() throws {
        let here = try machine("here")
        defer { here.stop() }
        let large = [UInt8](repeating: 1, count: 8 << 20)
        try here.write(large, to: "busy")
        for round in 0..<20 {
            try here.write([UInt8(round + 2)], to: "busy", at: Int64(round % 8) << 20)
        }
        try here.drain()

        let there = try machine("there")
        defer { there.stop() }
        #expect(try there.read("busy") == (try here.read("busy")))
    }

    @Test func `a machine that stopped goes on where it was`() throws {
        let folder = ScratchFolder()
        let before = try machine("here", folder: folder)
        try before.write([4, 2], to: "kept")
        before.region.setUp(false)
        try before.write([7], to: "unsent")
        before.stop()

        let after = try machine("here", folder: folder)
        defer { after.stop() }
        #expect(try after.list() == ["kept", "unsent"])
        #expect(try after.read("unsent") == [7])
        try after.drain()

        let there = try machine("there")
        defer { there.stop() }
        #expect(try there.read("unsent") == [7])
    }

    /// `DALEKS_ROUNDS=2000` runs more of them.
    @Test func `random work on two machines ends in one picture`() throws {
        let rounds = Environment.current["DALEKS_ROUNDS"].flatMap { UInt64($0) } ?? 2
        for seed in [UInt64.random(in: 0...UInt64.max)] + (1..<max(2, rounds)) {
            try work(seed: seed)
        }
    }

    private func work(seed: UInt64) throws {
        let storage = try RegionStorage()
        func machine(_ name: String) throws -> Machine { try Machine(storage, owner: owner, name: name) }
        var random = SeededGenerator(seed: seed)
        let machines = [try machine("one"), try machine("two")]
        defer { for machine in machines { machine.stop() } }
        for _ in 0..<150 {
            let machine = machines[Int.random(in: 0..<2, using: &random)]
            if Int.random(in: 0..<12, using: &random) == 0 { machine.region.setUp(Bool.random(using: &random)) }
            let began = TimeSource.system.now
            // Who is away and lacks a folder waits ten seconds for it, at each step that needs it: once is enough.
            defer { if TimeSource.system.now - began > .seconds(5) { machine.region.setUp(true) } }
            do {
                try step(on: machine, &random)
            } catch let obstacle as Obstacle {
                // What another machine did meanwhile makes many a step impossible; that is an answer.
                guard case .errno = obstacle else { throw obstacle }
            }
        }
        for machine in machines { machine.region.setUp(true) }
        for machine in machines { try machine.drain() }

        let fresh = try machine("fresh")
        defer { fresh.stop() }
        let agree = eventually {
            guard let truth = try? fresh.picture() else { return false }
            return machines.allSatisfy { $0.engine.pendingCount == 0 && (try? $0.picture()) == truth }
        }
        #expect(agree, "seed \(seed)")
        guard !agree else { return }
        let truth = try fresh.picture()
        for machine in machines {
            print("seed \(seed): pending \(machine.engine.pendingCount), \(machine.engine.status)")
            let picture = try machine.picture()
            for path in Set(truth.keys).union(picture.keys).sorted() where truth[path] != picture[path] {
                print("  \(path): here \(picture[path] ?? "-"), at the region \(truth[path] ?? "-")")
                print("    \(machine.account(of: path))")
                print("    fresh: \(fresh.account(of: path))")
                if let folder = path.lastIndex(of: "/") {
                    print("    folder: \(machine.account(of: String(path[..<folder])))")
                } else {
                    print("    folder: \(machine.account(of: ""))")
                }
            }
        }
    }

    private func step(on machine: Machine, _ random: inout SeededGenerator) throws {
        func path() -> String {
            let names = ["a", "b", "c", "d/e", "d/f", "d/g/h", "d"]
            return names[Int.random(in: 0..<names.count, using: &random)]
        }
        switch Int.random(in: 0..<10, using: &random) {
        case 0: try machine.make(["d", "d/g"][Int.random(in: 0..<2, using: &random)], .folder)
        case 1...4:
            let count = Int.random(in: 0..<200, using: &random)
            try machine.write(
                (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) },
                to: path(),
                at: Int64.random(in: 0..<50, using: &random),
                truncating: Bool.random(using: &random)
            )
        case 5: try machine.remove(path())
        case 6: try machine.remove("d/g", isFolder: true)
        case 7, 8: try machine.rename(path(), to: path())
        default: _ = try machine.read(path())
        }
    }
}
