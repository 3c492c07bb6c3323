import DaleksCore
import DaleksSystem
import Glibc

/// The memory that a password hash works in: straight from the kernel, and straight back when nobody hashes.
///
/// 19 MiB from malloc stay with the thread that hashed: freed once, blocks of that size come out of arenas, and a quiet
/// service would keep tens of megabytes for ever. From the kernel anew for each hash, on the other hand, a fifth of the
/// time goes into 19 MiB of zeros. So blocks are kept while hashes follow one another. libargon2 wipes a block before
/// it lets go of it. What it calls back, away from any main.
///
/// ## Concurrency
/// `kept` is guarded by itself; the kernel is asked with no lock held.
enum HashMemory {
    private struct Block {
        let address: UInt
        let byteCount: Int
    }

    private static let hugePageBytes = 2 << 20
    private static let kept = Lock<[Block]>([])

    static let allocate: @convention(c) (UnsafeMutablePointer<UnsafeMutablePointer<UInt8>?>?, Int) -> Int32 = {
        place,
        byteCount in
        guard let place else { return 1 }
        let known = kept.withLock { kept in
            kept.lastIndex { $0.byteCount == byteCount }.map { kept.remove(at: $0) }
        }
        if let known {
            place.pointee = UnsafeMutablePointer(bitPattern: known.address)
            return 0
        }
        guard let raw = mmap(nil, byteCount, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
            raw != MAP_FAILED
        else { return 1 }
        // Fewer page faults, where the kernel has such pages; without them all works the same.
        if byteCount >= hugePageBytes { _ = madvise(raw, byteCount, MADV_HUGEPAGE) }
        place.pointee = raw.assumingMemoryBound(to: UInt8.self)
        return 0
    }

    static let release: @convention(c) (UnsafeMutablePointer<UInt8>?, Int) -> Void = { memory, byteCount in
        guard let memory else { return }
        let isKept = kept.withLock { kept in
            guard kept.count < Limits.Crypto.keptHashMemoryCountMax else { return false }
            kept.append(Block(address: UInt(bitPattern: memory), byteCount: byteCount))
            return true
        }
        if !isKept { munmap(memory, byteCount) }
    }

    static func giveBack() {
        let blocks = kept.withLock { kept in
            defer { kept = [] }
            return kept
        }
        for block in blocks { munmap(UnsafeMutableRawPointer(bitPattern: block.address), block.byteCount) }
    }
}
