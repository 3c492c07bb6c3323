import DaleksCache
import DaleksCore
import DaleksSync
import DaleksSystem
import DaleksTestSupport
import Glibc
import Testing

@Suite struct NodeMemoryTests {
    private func node(_ inode: UInt64, size: Int64 = 0) -> LocalNode {
        LocalNode(
            inode: Inode(rawValue: inode),
            id: NodeID(high: 1, low: inode),
            attributes: Attributes(
                kind: .file,
                mode: 0o644,
                uid: 0,
                gid: 0,
                accessed: .zero,
                modified: .zero,
                changed: .zero,
                size: size,
                links: 1
            )
        )
    }

    @Test func `what a commit changed is not remembered, neither as it was nor by who read it before`() {
        let memory = NodeMemory()
        let inode = Inode(rawValue: 5)
        memory.keep(node(5), readAfter: memory.generation(of: inode))
        #expect(memory.find(inode)?.inode == inode)

        let early = memory.generation(of: inode)
        memory.committed([5])
        memory.keep(node(5), readAfter: early)

        #expect(memory.find(inode) == nil)
        memory.keep(node(5, size: 9), readAfter: memory.generation(of: inode))
        #expect(memory.find(inode)?.attributes.size == 9)
    }

    @Test func `a node of which a commit raises numbers alone is remembered with them`() {
        let memory = NodeMemory()
        memory.keep(node(5, size: 9), readAfter: memory.generation(of: Inode(rawValue: 5)))
        memory.stage(revision: 12, of: Inode(rawValue: 5))
        memory.stage(answered: 11, of: Inode(rawValue: 5))
        memory.stage(revision: 7, of: Inode(rawValue: 6))
        let early = memory.generation(of: Inode(rawValue: 5))
        memory.committed([5, 6])

        let known = memory.find(Inode(rawValue: 5))
        #expect(known?.revision == 12 && known?.answered == 11 && known?.attributes.size == 9)
        #expect(memory.find(Inode(rawValue: 6)) == nil)
        // Who read it before that commit does not know better.
        memory.keep(node(5), readAfter: early)
        #expect(memory.find(Inode(rawValue: 5))?.revision == 12)

        memory.stage(revision: 99, of: Inode(rawValue: 5))
        memory.undone()
        memory.committed([5])
        #expect(memory.find(Inode(rawValue: 5)) == nil)
    }

    @Test func `however many nodes are used, few are remembered`() {
        let memory = NodeMemory()
        for number in 2..<UInt64(200_000) {
            let inode = Inode(rawValue: number)
            memory.keep(node(number), readAfter: memory.generation(of: inode))
        }

        let kept = (2..<UInt64(200_000)).count { memory.find(Inode(rawValue: $0)) != nil }
        #expect(kept <= 64 * 256)
    }

    @Test func `every change of a node is seen at once by who asks for it`() throws {
        let here = try Machine(try RegionStorage(), owner: .random(at: .zero))
        defer { here.stop() }
        let file = try here.make("file").inode
        let tree = here.engine.tree

        for round in 1...200 {
            var edit = LocalTree.AttributeEdit()
            edit.mode = UInt32(round % 8)
            _ = try tree.setAttributes(of: file, edit)
            #expect(try tree.node(file).attributes.mode == UInt32(round % 8))
            try tree.setExtended(Array("user.round".utf8), of: file, to: [UInt8(round)])
            #expect(try tree.extendedValue(Array("user.round".utf8), of: file) == [UInt8(round)])
        }
        try here.drain()
        #expect(try tree.node(file).attributes.mode == 0)
    }

    /// What is known of a file changes hands when the last who works with it leaves: from his memory to the tables.
    @Test(arguments: ["by inode", "by name", "in a listing"])
    func `a file has its size, also while the last who wrote to it is leaving`(way: String) throws {
        let here = try Machine(try RegionStorage(), owner: .random(at: .zero))
        defer { here.stop() }
        let tree = here.engine.tree
        let file = try here.make("file").inode
        let name = try Name("file")
        let written = Lock<Int64>(0)
        let isOver = Lock(false)
        let wrong = Lock<[String]>([])
        // More than the machine has processors, so that some are interrupted anywhere.
        let readers = (0..<6).map { number in
            Thread(name: "reader \(number)") {
                while !isOver.withLock({ $0 }) {
                    let expected = written.withLock { $0 }
                    let node =
                        switch way {
                        case "by inode": try? tree.node(file)
                        case "by name": try? tree.lookup(name, in: .root)
                        default: try? tree.entries(of: .root, after: 0, limit: 10).first { $0.name == name }?.node
                        }
                    guard let size = node?.attributes.size, size < expected else { continue }
                    wrong.withLock { $0.append("\(size) instead of \(expected)") }
                }
            }
        }

        for _ in 0..<800 {
            let content = try tree.openContent(file)
            _ = try [UInt8](repeating: 7, count: 3).withUnsafeBytes { try content.write($0, at: nil) }
            written.withLock { $0 += 3 }
            try tree.closeContent(content)
            usleep(100)
        }
        isOver.withLock { $0 = true }
        for reader in readers { reader.join() }

        #expect(wrong.withLock { $0 }.isEmpty)
    }
}
