import DaleksAPI
import DaleksCache
import DaleksCore
import DaleksSystem
import DaleksTestSupport
import Testing

@testable import DaleksSync

/// Small files and folders that are got before somebody asks for them.
@Suite struct InOrderTests {
    private let storage: RegionStorage
    private let here: Machine
    private let there: Machine

    init() throws {
        let owner = UserID.random(at: .zero)
        storage = try RegionStorage()
        here = try Machine(storage, owner: owner)
        there = try Machine(storage, owner: owner, name: "there")
    }

    private func content(_ number: Int) -> [UInt8] {
        Array("file \(number) ".utf8) + [UInt8](repeating: 7, count: 3_000)
    }

    private func writeFiles(_ count: Int, in folder: String) throws {
        try here.make(folder, .folder)
        for number in 0..<count { try here.write(content(number), to: "\(folder)/\(number + 1_000)") }
    }

    /// A line that has a length, or nobody could be ahead of anybody.
    private func lengthen() {
        there.region.onRead { _ in Gate().wait(timeout: .milliseconds(5)) }
    }

    @Test func `small files of a cold folder read in order take a tenth of a request each`() throws {
        defer { here.stop(); there.stop() }
        try writeFiles(300, in: "folder")
        try here.drain()
        lengthen()
        let names = try there.list("folder")

        for name in names { #expect(try there.read("folder/\(name)") == content(Int(name)! - 1_000)) }

        #expect(there.region.readCount <= 30)
    }

    @Test func `whoever goes from folder to folder is followed`() throws {
        defer { here.stop(); there.stop() }
        for folder in 10..<40 { try writeFiles(10, in: "folder \(folder)") }
        try here.drain()
        lengthen()
        let folders = try there.list()
        for folder in folders { #expect(try there.list(folder).count == 10) }

        for folder in folders {
            for name in try there.list(folder) { _ = try there.read("\(folder)/\(name)") }
        }

        #expect(there.region.readCount <= 45)
    }

    @Test func `folders are listed before whoever walks through them comes to them`() throws {
        defer { here.stop(); there.stop() }
        for folder in 10..<40 { try here.make("folder \(folder)", .folder) }
        try here.drain()

        for folder in 10..<13 { _ = try there.list("folder \(folder)") }

        #expect(eventually { (try? there.lookup("folder 15").isComplete) == true })
        #expect(try there.lookup("folder 39").isComplete == false)
    }

    @Test func `files that are read here and there bring no others along`() throws {
        defer { here.stop(); there.stop() }
        try writeFiles(200, in: "folder")
        try here.drain()
        lengthen()
        _ = try there.list("folder")

        for number in [150, 20, 190, 80, 3, 110, 60] { _ = try there.read("folder/\(number + 1_000)") }

        #expect(there.region.readCount == 7)
    }

    @Test func `near the disk's reserve nothing is brought that nobody asked for`() throws {
        let third = try Machine(storage, owner: here.region.owner, name: "third") { $0.space.reserveBytes = 1 << 60 }
        defer { here.stop(); there.stop(); third.stop() }
        try writeFiles(30, in: "folder")
        try here.drain()
        third.region.onRead { _ in Gate().wait(timeout: .milliseconds(5)) }
        _ = try third.list("folder")

        for number in 0..<30 { #expect(try third.read("folder/\(number + 1_000)") == content(number)) }

        #expect(third.region.readCount == 30)
    }

    @Test func `bytes that are not those of their digest are not taken`() throws {
        defer { here.stop(); there.stop() }
        try writeFiles(50, in: "folder")
        try here.drain()
        lengthen()
        _ = try there.list("folder")
        there.region.alterReads { answer in
            guard case .whole(let digest, var bytes) = answer else { return answer }
            bytes[0] ^= 1
            return .whole(digest, bytes)
        }

        for number in 0..<10 {
            #expect(throws: Obstacle.errno(.io)) { try there.read("folder/\(number + 1_000)") }
        }
        there.region.alterReads(nil)

        for number in 0..<50 { #expect(try there.read("folder/\(number + 1_000)") == content(number)) }
    }

    @Test func `what was replaced while it was on the line is not shown`() throws {
        defer { here.stop(); there.stop() }
        try writeFiles(50, in: "folder")
        try here.drain()
        _ = try there.list("folder")
        let changed = Lock(false)
        let (here, there) = (UncheckedMachine(here), UncheckedMachine(there))
        there.machine.region.onRead { reads in
            guard reads.reads.count > 1,
                !changed.withLock({
                    let was = $0; $0 = true; return was
                })
            else { return }
            for number in 0..<50 { try? here.machine.write([9, 9], to: "folder/\(number + 1_000)", truncating: true) }
            try? here.machine.drain()
            _ = eventually { (try? there.machine.lookup("folder/1049").attributes.size) == 2 }
        }

        for number in 0..<4 { _ = try there.machine.read("folder/\(number + 1_000)") }

        #expect(
            eventually { changed.withLock { $0 } && (try? there.machine.lookup("folder/1049").attributes.size) == 2 }
        )
        for number in 0..<50 { #expect(try there.machine.read("folder/\(number + 1_000)") == [9, 9]) }
    }

    /// The test hands it to the line's thread, and waits for that.
    private struct UncheckedMachine: @unchecked Sendable {
        let machine: Machine
        init(_ machine: Machine) { self.machine = machine }
    }

    // MARK: Who goes in order

    private func place(_ position: Int64) -> TreeWalk.Place {
        TreeWalk.Place(folder: Inode(rawValue: 1), position: position)
    }

    private func next(_ first: UInt64) -> Set<Inode> { Set((first..<first + 8).map(Inode.init(rawValue:))) }

    @Test func `the window doubles as long as what was got is asked for`() {
        var order = InOrder(stepCountMin: 2, countMin: 8, countMax: 32)
        #expect(order.note(Inode(rawValue: 10), at: place(10), next: next(11)) == nil)
        #expect(order.note(Inode(rawValue: 11), at: place(11), next: next(12)) == nil)

        let first = order.note(Inode(rawValue: 12), at: place(12), next: next(13))

        #expect(first?.start == place(12) && first?.count == 8)
        // Once at a time.
        #expect(order.note(Inode(rawValue: 13), at: place(13), next: next(14)) == nil)
        guard let first else { return }
        order.chose((14..<22).map(Inode.init(rawValue:)), until: place(21), for: first)
        #expect(order.landmarks == [Inode(rawValue: 14)])
        let second = order.note(Inode(rawValue: 14), at: place(14), next: next(15))
        #expect(second?.start == place(21) && second?.count == 16)
        #expect(order.landmarks.isEmpty)
    }

    @Test func `who jumps begins anew, and others are not disturbed by him`() {
        var order = InOrder(stepCountMin: 2, countMin: 8, countMax: 32)
        #expect(order.note(Inode(rawValue: 10), at: place(10), next: next(11)) == nil)
        #expect(order.note(Inode(rawValue: 11), at: place(11), next: next(12)) == nil)

        #expect(order.note(Inode(rawValue: 500), at: place(500), next: next(501)) == nil)
        #expect(order.note(Inode(rawValue: 900), at: place(900), next: next(901)) == nil)

        #expect(order.note(Inode(rawValue: 12), at: place(12), next: next(13)) != nil)
    }
}
