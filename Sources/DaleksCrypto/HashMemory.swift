import Glibc

/// The memory that a password hash works in: straight from the kernel, and straight back.
///
/// 19 MiB from malloc stay with the thread that hashed: freed once, blocks of that size come out of arenas, and a quiet
/// service would keep tens of megabytes for ever. What libargon2 calls back, away from any main.
enum HashMemory {
    private static let hugePageBytes = 2 << 20

    static let allocate: @convention(c) (UnsafeMutablePointer<UnsafeMutablePointer<UInt8>?>?, Int) -> Int32 = {
        place,
        byteCount in
        guard let place, let raw = mmap(nil, byteCount, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
            raw != MAP_FAILED
        else { return 1 }
        // Fewer page faults, where the kernel has such pages; without them all works the same.
        if byteCount >= hugePageBytes { _ = madvise(raw, byteCount, MADV_HUGEPAGE) }
        place.pointee = raw.assumingMemoryBound(to: UInt8.self)
        return 0
    }

    static let release: @convention(c) (UnsafeMutablePointer<UInt8>?, Int) -> Void = { memory, byteCount in
        guard let memory else { return }
        munmap(memory, byteCount)
    }
}
