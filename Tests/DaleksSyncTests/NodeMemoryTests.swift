import DaleksCache
import DaleksCore
import DaleksSync
import DaleksSystem
import DaleksTestSupport
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
}
