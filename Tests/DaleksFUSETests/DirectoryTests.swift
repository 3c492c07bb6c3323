import CFuse
import DaleksCore
import DaleksFUSE
import DaleksSystem
import Glibc
import Testing

@Suite(.needsFUSE)
struct DirectoryTests {
    static let count = 5_000

    private func filled(_ readdirPlus: FUSEMountOptions.ReaddirPlus, validFor: Duration = .zero) throws -> MountFixture
    {
        let mount = try MountFixture(MemoryTree(validFor: validFor)) { $0.readdirPlus = readdirPlus }
        let owner = FUSERequest(userID: 0, groupID: 0, processID: 0, umask: 0)
        for index in 0..<Self.count {
            _ = mount.tree.make(owner, parent: 1, name: Array("file-\(index)".utf8), mode: S_IFREG | 0o644)
        }
        return mount
    }

    @Test(arguments: [FUSEMountOptions.ReaddirPlus.never, .always, .auto], [600, 4_096, 1 << 20])
    func `every entry of a large folder is listed once, whatever the buffer`(
        _ readdirPlus: FUSEMountOptions.ReaddirPlus,
        _ bufferBytes: Int
    ) throws {
        let mount = try filled(readdirPlus)

        let names = try Syscalls.names(in: mount.path, bufferBytes: bufferBytes)

        #expect(names.count == Self.count + 2)
        #expect(Set(names) == Set((0..<Self.count).map { "file-\($0)" } + [".", ".."]))
        if readdirPlus == .never { #expect(mount.tree.count("readdirplus") == 0) }
        if readdirPlus == .always { #expect(mount.tree.count("readdir") == 0) }
    }

    @Test func `after a listing with attributes nothing is looked up and nothing asked`() throws {
        let mount = try filled(.always, validFor: .seconds(60))

        _ = try Syscalls.names(in: mount.path, bufferBytes: 1 << 16)
        for index in stride(from: 0, to: Self.count, by: 7) { _ = try Syscalls.status(mount.file("file-\(index)")) }

        #expect(mount.tree.count("lookup") == 0)
        // The root's own, perhaps.
        #expect(mount.tree.count("getattr") <= 1)
        #expect(mount.tree.state.withLock { $0.inodes[2]?.lookupCount } == 2)
    }

    @Test func `a listing goes on where it was although entries before and after have gone`() throws {
        let mount = try filled(.never)
        let folder = try #require(opendir(mount.path))
        defer { closedir(folder) }
        var names: [String] = []
        func next() -> String? {
            guard let entry = readdir(folder) else { return nil }
            // Read in place: an entry is shorter than its type says, so it must not be copied whole.
            let place = UnsafeRawPointer(entry) + (MemoryLayout<dirent>.offset(of: \.d_name) ?? 0)
            return String(cString: place.assumingMemoryBound(to: CChar.self))
        }
        for _ in 0..<100 { names.append(try #require(next())) }

        for index in stride(from: 0, to: Self.count, by: 2) { #expect(unlink(mount.file("file-\(index)")) == 0) }
        while let name = next() { names.append(name) }

        #expect(Set(names).count == names.count)
        let odd = Set(stride(from: 1, to: Self.count, by: 2).map { "file-\($0)" })
        #expect(odd.isSubset(of: names))
    }

    @Test func `a folder can be listed from any position again`() throws {
        let mount = try filled(.never)
        let folder = try #require(opendir(mount.path))
        defer { closedir(folder) }
        for _ in 0..<1_000 { _ = readdir(folder) }
        let place = telldir(folder)
        let expected = try #require(readdir(folder)).pointee.d_ino

        rewinddir(folder)
        _ = readdir(folder)
        seekdir(folder, place)

        #expect(try #require(readdir(folder)).pointee.d_ino == expected)
    }
}
