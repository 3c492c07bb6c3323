import DaleksCore
import DaleksSystem
import DaleksTestSupport
import Glibc
import Testing

@testable import DaleksSync

/// What an engine leaves behind.
@Suite struct EngineLifeTests {
    /// What lies below a folder and is held open by this process.
    private func held(below folder: String) -> [String] {
        guard let directory = opendir("/proc/self/fd") else { return ["/proc/self/fd cannot be read"] }
        defer { closedir(directory) }
        var found: [String] = []
        var target = [CChar](repeating: 0, count: Int(PATH_MAX))
        while let entry = readdir(directory) {
            let number = withUnsafePointer(to: &entry.pointee.d_name) { name in
                name.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            let count = readlink("/proc/self/fd/" + number, &target, target.count)
            guard count > 0 else { continue }
            let path = String(decoding: target[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
            if path.hasPrefix(folder) { found.append(path) }
        }
        return found.sorted()
    }

    @Test func `an engine that stopped holds nothing open and is gone`() throws {
        weak var engine: SyncEngine?
        weak var region: RegionStorage?
        let folders: [String]
        do {
            let storage = try RegionStorage()
            let machine = try Machine(storage, owner: .random(at: .zero))
            (engine, region) = (machine.engine, storage)
            folders = [machine.folder.path(""), storage.folder.path("")]
            try machine.write([UInt8](repeating: 7, count: 300_000), to: "file")
            #expect(try machine.read("file").count == 300_000)
            try machine.drain()
            let database = machine.folder.path("state/replica.db")
            #expect(held(below: database).contains(database))
            machine.stop()
            #expect(!held(below: database).contains(database))
            // Whoever closes it last copies the log into it.
            #expect(access(database + "-wal", F_OK) != 0)
        }
        // The last thread to hold it may be on its way out.
        #expect(eventually { engine == nil && region == nil })
        #expect(eventually { folders.allSatisfy { held(below: $0) == [] } })
    }

    @Test func `a region in which nothing happens is known to answer from the beginning`() throws {
        let machine = try Machine(try RegionStorage(), owner: .random(at: .zero))
        defer { machine.stop() }
        // Until then the kernel is let believe everything for a second only.
        #expect(eventually { machine.engine.isConnected })
    }
}
