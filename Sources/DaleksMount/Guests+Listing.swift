import DaleksCache
import DaleksCore
import DaleksFUSE
import DaleksSync
import DaleksSystem
import DaleksVFS
import Glibc

/// The folder of what others share, where they do so in several regions: the roots of several volumes as one.
extension Guests {
    /// A place in such a listing: the volume in the upper bits, as in an inode, and in it the place in its root.
    private static let positionOffset: Int64 = 3

    private static func offset(_ position: Int64, in volume: KernelBridge) -> Int64 {
        Int64(bitPattern: volume.volume.base) | (position + positionOffset)
    }

    func list(after offset: Int64, _ reply: consuming DirectoryReply) {
        let isPlus = reply.isPlus
        var retained: [(KernelBridge, Inode)] = []
        let volumes = volumes
        let wasTaken = reply.entries { entries throws(Errno) in
            let folder = VolumeNumber.shared.global(.root)
            for (name, inode, next) in [(".", folder, Int64(1)), ("..", Inode.root.rawValue, Int64(2))]
            where offset < next {
                guard entries.add(name: Array(name.utf8), inode: inode, mode: S_IFDIR, nextOffset: next) else { return }
            }
            for volume in volumes {
                let before = Int64(bitPattern: volume.volume.base)
                guard offset < before + 1 << 48 else { continue }
                var position = max(0, offset - before - Self.positionOffset)
                while let page = try? volume.files.entries(of: .root, after: position, limit: 64), let last = page.last
                {
                    for item in page {
                        if isPlus { volume.files.retain(item.node.inode) }
                        let fits = entries.add(
                            name: volume.volume.shown(item.name, in: .root),
                            entry: volume.entry(item.node, since: volume.engine.epoch),
                            nextOffset: Self.offset(item.position, in: volume)
                        )
                        guard fits else {
                            if isPlus { volume.files.forget(item.node.inode, count: 1) }
                            return
                        }
                        if isPlus { retained.append((volume, item.node.inode)) }
                    }
                    position = last.position
                }
            }
        }
        guard !wasTaken else { return }
        for (volume, inode) in retained { volume.files.forget(inode, count: 1) }
    }
}
