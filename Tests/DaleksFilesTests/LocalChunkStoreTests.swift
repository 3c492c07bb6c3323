import DaleksCore
import DaleksSystem
import DaleksTestSupport
import Glibc
import Testing

@testable import DaleksFiles

struct LocalChunkStoreTests {
    let folder = ScratchFolder()

    private func open(_ segmentBytesMax: Int64 = 1 << 30) throws -> LocalChunkStore {
        try LocalChunkStore(folder: folder.path("chunks"), segmentBytesMax: segmentBytesMax)
    }

    private func segments() throws -> [String] { try Files.entries(of: folder.path("chunks")).sorted() }

    private func change(_ segment: String, _ body: (borrowing FileDescriptor) throws -> Void) throws {
        try body(try FileDescriptor.open(folder.path("chunks/\(segment)"), O_RDWR))
    }

    @Test(arguments: [1 << 30, 100_000] as [Int64])
    func `it is a chunk store, with one segment and with many`(segmentBytesMax: Int64) throws {
        var random = SeededGenerator(for: "local chunk store")
        try ChunkStoreConformance.check(try open(segmentBytesMax), &random)
        #expect(try segments().count == 1 || segmentBytesMax < 1 << 20)
    }

    @Test func `chunks are there after the store comes back, and new ones go elsewhere`() throws {
        let contents = (0..<10).map { ChunkContent(Array("chunk \($0)".utf8)) }
        let locations = try open(200).store(contents)

        let again = try open(200)
        let more = try again.store([ChunkContent(Array("more".utf8))])

        for (content, location) in zip(contents, locations) {
            #expect(try again.read(content.digest, at: location) == content.bytes)
        }
        #expect(!locations.contains(more[0]))
    }

    @Test(.needs(.fuse)) func `what was stored is there after the power went`() throws {
        let disk = try RunningDisk(path: folder.path("disk"), seed: 7)
        var random = SeededGenerator(for: "power of a chunk store")
        var stored: [(ChunkContent, ChunkLocation)] = []

        for _ in 0..<4 {
            // Nothing is open on the disk when its power goes.
            do {
                let store = try LocalChunkStore(folder: disk.path + "/chunks", segmentBytesMax: 1 << 20)
                for count in [10, 3_000, 200_000] {
                    let content = ChunkContent(random.bytes(count: count))
                    stored.append((content, try store.store([content])[0]))
                }
            }
            try disk.cutPower()
            let store = try LocalChunkStore(folder: disk.path + "/chunks", segmentBytesMax: 1 << 20)
            for (content, location) in stored {
                #expect(try store.read(content.digest, at: location) == content.bytes)
            }
        }
    }

    @Test(arguments: [1, 63, 64, 65, 100])
    func `what a crash left behind the last record does not matter`(tornBytes: Int) throws {
        let content = ChunkContent(Array("kept".utf8))
        let location = try open().store([content])[0]
        let torn = ChunkHeader(digest: content.digest, storedBytes: 500, rawBytes: 500, compression: .none).bytes
        let tail = Array((torn + [UInt8](repeating: 9, count: 100)).prefix(tornBytes))
        try change(try #require(try segments().first)) { file in
            let end = Int64(try file.status().st_size)
            try tail.withUnsafeBytes { try file.write($0, at: end) }
        }

        let again = try open()
        let other = ChunkContent(Array("after the crash".utf8))
        let otherLocation = try again.store([other])[0]

        #expect(try again.read(content.digest, at: location) == content.bytes)
        #expect(try again.read(other.digest, at: otherLocation) == other.bytes)
        #expect(otherLocation.position % ChunkHeader.alignment == 0)
    }

    @Test(arguments: [false, true])
    func `no changed byte of a record is read as content`(isCompressible: Bool) throws {
        var random = SeededGenerator(for: "damaged chunk")
        let bytes = isCompressible ? [UInt8](repeating: 1, count: 5_000) : random.bytes(count: 300)
        let content = ChunkContent(bytes)
        let store = try open()
        let location = try store.store([content])[0]
        #expect((location.compression == .zstd) == isCompressible)
        let segment = try #require(try segments().first)

        for offset in 0..<ChunkHeader.byteCount + location.storedBytes {
            let position = location.position + Int64(offset)
            try change(segment) { file in
                var byte: UInt8 = 0
                _ = try withUnsafeMutableBytes(of: &byte) { try file.read(into: $0, at: position) }
                byte ^= 1 << UInt8.random(in: 0..<8, using: &random)
                try withUnsafeBytes(of: byte) { try file.write($0, at: position) }
            }
            #expect(throws: ChunkStoreError.damaged(content.digest)) { try store.read(content.digest, at: location) }
            let original = ChunkHeader(content.digest, location).bytes
            try change(segment) { file in
                if offset < original.count {
                    try original.withUnsafeBytes { try file.write($0, at: location.position) }
                } else {
                    var byte: UInt8 = 0
                    _ = try withUnsafeMutableBytes(of: &byte) { try file.read(into: $0, at: position) }
                    guard !isCompressible else { return }
                    byte = bytes[offset - original.count]
                    try withUnsafeBytes(of: byte) { try file.write($0, at: position) }
                }
            }
            if isCompressible, offset >= original.count { return }
            #expect(try store.read(content.digest, at: location) == content.bytes)
        }
    }

    @Test func `a segment that is cut short is damage, and so is one that is gone`() throws {
        let content = ChunkContent([UInt8](repeating: 3, count: 70))
        let store = try open()
        let location = try store.store([content])[0]
        let segment = try #require(try segments().first)
        try change(segment) { try $0.truncate(to: 80) }

        #expect(throws: ChunkStoreError.damaged(content.digest)) { try store.read(content.digest, at: location) }
        #expect(unlink(folder.path("chunks/\(segment)")) == 0)
        let again = try open()
        #expect(throws: ChunkStoreError.damaged(content.digest)) { try again.read(content.digest, at: location) }
    }

    @Test func `records can be found without the index`() throws {
        var random = SeededGenerator(for: "scan")
        let contents = (1...50).map { ChunkContent(random.bytes(count: $0 * 7)) }
        _ = try open().store(contents)

        let bytes = try folder.read("chunks/\(try #require(try segments().first))")
        let found = stride(from: 0, to: bytes.count - ChunkHeader.byteCount, by: Int(ChunkHeader.alignment)).compactMap
        {
            ChunkHeader(bytes: bytes[$0..<$0 + ChunkHeader.byteCount])?.digest
        }

        #expect(found == contents.map(\.digest))
    }

    @Test func `writers who wait together share a barrier`() throws {
        let store = try open()
        let threads = (0..<16).map { thread in
            Thread(name: "writer") {
                for round in 0..<25 { _ = try? store.store([ChunkContent(Array("\(thread).\(round)".utf8))]) }
            }
        }
        for thread in threads { thread.join() }

        #expect(store.barrierCount < 300, "400 writes took \(store.barrierCount) barriers")
    }

    @Test func `a segment in which nothing is used goes after its grace, and only then`() throws {
        let store = try open(100)
        for index in 0..<5 { _ = try store.store([ChunkContent(Array("chunk \(index)".utf8))]) }
        let all = try segments()
        for name in all.prefix(3) {
            var times = [timeval(tv_sec: 1_000, tv_usec: 0), timeval(tv_sec: 1_000, tv_usec: 0)]
            #expect(utimes(folder.path("chunks/\(name)"), &times) == 0)
        }

        store.reclaim(unusedFor: .seconds(3_600)) { $0 == 2 }

        #expect(try segments() == [all[1]] + all.suffix(2))
    }
}
