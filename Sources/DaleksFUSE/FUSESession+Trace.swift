import CFuse
import DaleksSystem

extension FUSESession {
    /// One line a request: what, about which inode, and for whom. Names and contents stay out of it.
    func traceRequest(_ message: UnsafeRawBufferPointer) {
        let header = message.loadUnaligned(as: fuse_in_header.self)
        logger.debug(
            "kernel asks",
            [
                "operation": Self.name(ofOpcode: header.opcode),
                "inode": header.nodeid,
                "request": header.unique,
                "bytes": header.len,
                "user": header.uid,
                "process": header.pid,
            ]
        )
    }

    private static func name(ofOpcode opcode: UInt32) -> String {
        let names = operationNames
        return Int(opcode) < names.count && !names[Int(opcode)].isEmpty ? names[Int(opcode)] : "opcode \(opcode)"
    }

    /// By number, as enum fuse_opcode has them.
    static let operationNames = [
        "", "lookup", "forget", "getattr", "setattr", "readlink", "symlink", "", "mknod", "mkdir", "unlink", "rmdir",
        "rename", "link", "open", "read", "write", "statfs", "release", "", "fsync", "setxattr", "getxattr",
        "listxattr", "removexattr", "flush", "init", "opendir", "readdir", "releasedir", "fsyncdir", "getlk", "setlk",
        "setlkw", "access", "create", "interrupt", "bmap", "destroy", "ioctl", "poll", "notify_reply", "batch_forget",
        "fallocate", "readdirplus", "rename2", "lseek", "copy_file_range", "setupmapping", "removemapping", "syncfs",
        "tmpfile",
    ]
}
