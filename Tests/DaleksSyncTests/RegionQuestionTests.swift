import DaleksAPI
import DaleksCache
import DaleksCore
import DaleksSync
import DaleksSystem
import DaleksTestSupport
import Testing

/// Names that the region decides: what a file system of the strictest durability does before it answers.
@Suite struct RegionQuestionTests {
    let storage: RegionStorage
    let owner = UserID.random(at: .zero)

    init() throws { storage = try RegionStorage() }

    private func machine(_ name: String = "here") throws -> Machine {
        try Machine(storage, owner: owner, name: name)
    }

    /// Makes a change as a mount does and waits for what the region says of it.
    private func decide(
        _ machine: Machine,
        within limit: Duration = .seconds(10),
        _ change: (LocalTree, RegionQuestion) throws(Obstacle) -> Void
    ) throws -> String {
        for _ in 0..<20 {
            let question = RegionQuestion()
            do throws(Obstacle) {
                try change(machine.engine.tree, question)
            } catch {
                guard case .errno(let errno) = error else { throw error }
                return "\(errno)"
            }
            let outcome = Condition<SyncEngine.Decision?>(nil)
            machine.engine.decide(question, within: limit) { decision in
                outcome.withLock { $0 = decision }
                outcome.broadcast()
            }
            switch outcome.wait(timeout: .seconds(20), until: { $0 }) {
            case .agreed: return "agreed"
            case .failed(let errno): return "failed: \(errno)"
            case .overtaken: continue
            case nil: return "never"
            }
        }
        return "overtaken again and again"
    }

    private func named(_ text: String) -> Name {
        guard let name = try? Name(text) else { preconditionFailure("\(text) is no name") }
        return name
    }

    private let file = LocalTree.Creation(kind: .file, mode: 0o644, uid: 1_000, gid: 1_000)
    private let folder = LocalTree.Creation(kind: .folder, mode: 0o755, uid: 1_000, gid: 1_000)

    /// Two machines that know the same, of which one has heard nothing since.
    private func apart(_ body: (_ here: Machine, _ there: Machine) throws -> Void) throws {
        let (here, there) = (try machine(), try machine("there"))
        defer { here.stop(); there.stop() }
        try there.make("folder", .folder)
        try there.write([1], to: "one")
        try there.write([2], to: "two")
        try there.drain()
        #expect(eventually { (try? here.list()) == ["folder", "one", "two"] && (try? here.list("folder")) == [] })
        try here.drain()
        try body(here, there)
        // Nothing of what was lost is anywhere, and nothing is left to be sent.
        #expect(eventually { (try? here.picture()) == (try? there.picture()) })
        #expect(try here.list().allSatisfy { !$0.contains("conflict") } && here.engine.status.pendingCount == 0)
        let root = try here.lookup("")
        #expect(eventually { (try? here.lookup("").attributes.links) == (try? there.lookup("").attributes.links) })
        #expect(root.attributes.links == 2 + UInt32(try folderCount(here)), "\(here.account(of: "")) \(root)")
    }

    private func folderCount(_ machine: Machine) throws -> Int {
        try machine.list().filter { name in try machine.lookup(name).attributes.kind == .folder }.count
    }

    @Test func `what the region agrees to is there when it is told`() throws {
        try apart { here, there in
            let asked = try decide(here) { tree, question throws(Obstacle) in
                _ = try tree.create(named("new"), in: .root, folder, asking: question)
            }

            #expect(asked == "agreed")
            #expect(try here.region.node(here.lookup("new").id).attributes.kind == .folder)
        }
    }

    /// What one machine does while the other, which does not know it yet, asks for something that cannot be then.
    @Test(arguments: ["create", "mkdir", "link", "keep", "over", "unlink", "rmdir", "away", "source"])
    func `who comes second is told, and nothing of theirs stays`(_ kind: String) throws {
        try apart { here, there in
            try meeting(kind, here, there)
        }
    }

    private func meeting(_ kind: String, _ here: Machine, _ there: Machine) throws {
        let inner = try here.lookup("folder").inode
        let linked = try here.lookup("one").inode
        let (one, two, new, mine) = (named("one"), named("two"), named("new"), named("mine"))
        // Before anything of here comes to the region, there was first.
        let isFirst = Lock(true)
        // One of them works at a time: this one waits for the region while that one is called.
        nonisolated(unsafe) let other = there
        here.region.onMutation {
            guard
                isFirst.withLock({ isFirst in
                    defer { isFirst = false }; return isFirst
                })
            else { return }
            switch kind {
            case "create", "mkdir", "link", "keep": _ = try? other.make("new")
            case "over":
                try? other.remove("two")
                try? other.write([3], to: "two")
            case "unlink": try? other.remove("one")
            case "rmdir": _ = try? other.make("folder/inner")
            case "away": try? other.remove("folder", isFolder: true)
            default: try? other.rename("one", to: "elsewhere")
            }
            try? other.drain()
        }

        let said = try decide(here) { tree, question throws(Obstacle) in
            switch kind {
            case "create": _ = try tree.create(new, in: .root, file, asking: question)
            case "mkdir": _ = try tree.create(new, in: .root, folder, asking: question)
            case "link": _ = try tree.link(linked, as: new, in: .root, asking: question)
            case "keep": _ = try tree.rename(one, in: .root, to: new, in: .root, .keep, asking: question)
            case "over": _ = try tree.rename(one, in: .root, to: two, in: .root, .replace, asking: question)
            case "unlink": _ = try tree.remove(one, in: .root, isFolder: false, asking: question)
            case "rmdir": _ = try tree.remove(named("folder"), in: .root, isFolder: true, asking: question)
            case "away": _ = try tree.create(new, in: inner, file, asking: question)
            default: _ = try tree.rename(one, in: .root, to: mine, in: .root, .replace, asking: question)
            }
        }

        let expected = [
            "create": Errno.exists, "mkdir": .exists, "link": .exists, "keep": .exists, "rmdir": .notEmpty,
        ]
        switch kind {
        // It replaces what it did not know, as rename does.
        case "over":
            #expect(said == "agreed")
            #expect(try here.read("two") == [1])
        case "unlink", "away", "source": #expect(["\(Errno.noEntry)", "failed: \(Errno.noEntry)"].contains(said))
        default: #expect(said == expected[kind]?.description)
        }
    }

    @Test func `many machines' names have one maker each`() throws {
        let machines = try (0..<3).map { try machine("machine\($0)") }
        defer { for machine in machines { machine.stop() } }
        for machine in machines { #expect(eventually { (try? machine.list()) == [] }) }
        let rounds = Environment.current["DALEKS_ROUNDS"].flatMap { Int($0) } ?? 12
        for round in 0..<rounds {
            let name = try Name("name\(round)")
            let said = Condition<[String]>([])
            for machine in machines {
                // Only this thread has it until all have said what came of it.
                nonisolated(unsafe) let machine = machine
                _ = Thread(name: "racer") {
                    let outcome = try? decide(machine) { tree, question throws(Obstacle) in
                        _ = try tree.create(name, in: .root, round % 2 == 0 ? file : folder, asking: question)
                    }
                    said.withLock { $0.append(outcome ?? "threw") }
                    said.broadcast()
                }
            }
            let all = said.wait(timeout: .seconds(30)) { $0.count == machines.count ? $0.sorted() : nil }
            #expect(all == ["\(Errno.exists)", "\(Errno.exists)", "agreed"].sorted())
        }
        for machine in machines {
            #expect(eventually { (try? machine.list().count) == rounds && machine.engine.status.pendingCount == 0 })
            #expect(try machine.list().allSatisfy { !$0.contains("conflict") })
        }
    }

    @Test func `what the region was not asked in time is not done, and not later either`() throws {
        try apart { here, there in
            here.engine.pause(true)
            let one = try here.lookup("one").inode

            let said = try [
                decide(here, within: .milliseconds(50)) { tree, question throws(Obstacle) in
                    _ = try tree.create(named("new"), in: .root, folder, asking: question)
                },
                decide(here, within: .milliseconds(50)) { tree, question throws(Obstacle) in
                    _ = try tree.link(one, as: named("hard"), in: .root, asking: question)
                },
                decide(here, within: .milliseconds(50)) { tree, question throws(Obstacle) in
                    _ = try tree.remove(named("one"), in: .root, isFolder: false, asking: question)
                },
                decide(here, within: .milliseconds(50)) { tree, question throws(Obstacle) in
                    _ = try tree.remove(named("folder"), in: .root, isFolder: true, asking: question)
                },
                decide(here, within: .milliseconds(50)) { tree, question throws(Obstacle) in
                    _ = try tree.rename(
                        named("one"),
                        in: .root,
                        to: named("two"),
                        in: .root,
                        .replace,
                        asking: question
                    )
                },
            ]

            #expect(said == Array(repeating: "failed: \(Errno.timedOut)", count: 5))
            #expect(try here.list() == ["folder", "one", "two"])
            #expect(try here.read("one") == [1] && here.read("two") == [2])
            here.engine.pause(false)
            try here.drain()
        }
    }

    @Test func `what was sent and not answered is told as not known, and is what the region says later`() throws {
        try apart { here, there in
            here.region.loseAnswers(3)

            let said = try decide(here, within: .milliseconds(50)) { tree, question throws(Obstacle) in
                _ = try tree.create(named("new"), in: .root, folder, asking: question)
            }

            #expect(said == "failed: \(Errno.io)")
            #expect(eventually { (try? there.list()) == ["folder", "new", "one", "two"] })
            try here.drain()
        }
    }

    @Test func `a signal is told soon where the region is silent, and not at all where it answers`() throws {
        try apart { here, there in
            here.engine.pause(true)
            let began = TimeSource.system.now
            let question = RegionQuestion()
            _ = try here.engine.tree.create(named("new"), in: .root, folder, asking: question)
            let outcome = Condition<SyncEngine.Decision?>(nil)
            let impatience = Impatience()
            here.engine.decide(question, within: .seconds(60), impatience) { decision in
                outcome.withLock { $0 = decision }
                outcome.broadcast()
            }

            here.engine.interrupt(impatience)

            guard case .failed(.interrupted) = outcome.wait(timeout: .seconds(20), until: { $0 }) else {
                Issue.record("not interrupted")
                return
            }
            #expect(TimeSource.system.now - began < .seconds(10))
            #expect(try here.list() == ["folder", "one", "two"])
            here.engine.pause(false)
            try here.drain()
        }
    }

    @Test func `a daemon that died while it was decided makes nothing beside what was first`() throws {
        let folder = ScratchFolder()
        let there = try machine("there")
        defer { there.stop() }
        do {
            let here = try Machine(storage, owner: owner, name: "here", folder: folder)
            _ = try here.list()
            here.engine.pause(true)
            let question = RegionQuestion()
            _ = try here.engine.tree.create(named("name"), in: .root, file, asking: question)
            here.stop()
        }
        try there.write([7], to: "name")
        try there.drain()

        let here = try Machine(storage, owner: owner, name: "here", folder: folder)
        defer { here.stop() }
        try here.drain()

        #expect(eventually { (try? here.list()) == ["name"] && (try? here.read("name")) == [7] })
        #expect(try there.list() == ["name"])
    }
}
