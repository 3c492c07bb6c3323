import DaleksSystem
import DaleksTestSupport
import Glibc
import Testing

/// What a daemon that dies now would leave: its folder, as the kernel has it.
struct StateCopy {
    let folder = ScratchFolder()

    /// A copy takes a while, in which the daemon goes on: it counts only where the index stood still meanwhile.
    init(of machine: Machine) throws {
        let source = machine.folder.path("state")
        for _ in 0..<50 {
            let before = try Self.moment(of: source)
            // Sparse, with attributes, and without the lock of the living.
            let outcome = try Subprocess.capture(
                Command("/bin/cp", ["-a", "--sparse=always", source, folder.path("state")], environment: [:]),
                timeout: .seconds(30)
            )
            if outcome.ending == .exited(0), try Self.moment(of: source) == before {
                try? Files.removeTree(folder.path("state/lock"))
                return
            }
            try Files.removeTree(folder.path("state"))
        }
        Issue.record("the daemon never stood still long enough to be copied")
    }

    private static func moment(of state: String) throws -> [Int] {
        try ["replica.db", "replica.db-wal"].flatMap { name -> [Int] in
            let status = try FileDescriptor.open("\(state)/\(name)", O_RDONLY).status()
            return [Int(status.st_size), status.st_mtim.tv_sec, status.st_mtim.tv_nsec]
        }
    }

    /// The backing files, by inode.
    func backing(_ inode: UInt64) -> String {
        let bucket = String(inode % 256, radix: 16)
        return folder.path("state/content/\(bucket.utf8.count < 2 ? "0" + bucket : bucket)/\(inode)")
    }

    /// What a disk that lost the bytes has: a file of that size and nothing in it.
    func forgetBytes(of inode: UInt64, keepsSize: Bool) throws {
        let file = try FileDescriptor.open(backing(inode), O_RDWR)
        let size = Int64(try file.status().st_size)
        try file.truncate(to: 0)
        if keepsSize { try file.truncate(to: size) }
    }

    func flipByte(of inode: UInt64, at offset: Int64) throws {
        let file = try FileDescriptor.open(backing(inode), O_RDWR)
        var byte: [UInt8] = [0]
        _ = try byte.withUnsafeMutableBytes { try file.read(into: $0, at: offset) }
        byte[0] ^= 0xff
        try byte.withUnsafeBytes { try file.write($0, at: offset) }
    }
}
