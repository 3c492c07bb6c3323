import CFuse
public import DaleksSystem
import Glibc

/// How long the kernel's requests take, kind by kind, on the threads that they come on: to their answer, or until they
/// are parked.
///
/// ## Concurrency
/// Immutable; histograms count by themselves.
public final class OperationMeasures: Sendable {
    /// What programs wait for. Forgetting, interrupting and the like nobody sees.
    private static let kinds = [
        "lookup", "getattr", "setattr", "readlink", "symlink", "mknod", "mkdir", "unlink", "rmdir", "rename", "link",
        "open", "read", "write", "statfs", "release", "fsync", "setxattr", "getxattr", "listxattr", "removexattr",
        "flush", "opendir", "readdir", "fsyncdir", "getlk", "setlk", "setlkw", "create", "fallocate", "readdirplus",
        "rename2", "lseek", "copy_file_range",
    ]

    /// From what memory answers to what a slow disk takes.
    private static let bounds = [
        0.000_01, 0.000_025, 0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5,
    ]

    /// By number.
    private let histograms: [Histogram?]

    public init(_ metrics: Metrics) {
        histograms = FUSESession.operationNames.map { name in
            guard Self.kinds.contains(name) else { return nil }
            return metrics.histogram(
                "daleks_mount_operation_seconds",
                help: "Time that requests of the kernel took until they were answered or had to wait for the region.",
                labels: ["operation": name],
                buckets: Self.bounds
            )
        }
    }

    /// The histogram of the request that lies in a buffer; nil where its kind is not counted.
    func histogram(of buffer: fuse_buf) -> Histogram? {
        guard buffer.flags.rawValue & FUSE_BUF_IS_FD.rawValue == 0, let memory = buffer.mem,
            buffer.size >= MemoryLayout<fuse_in_header>.size
        else { return nil }
        let opcode = Int(UnsafeRawPointer(memory).loadUnaligned(as: fuse_in_header.self).opcode)
        return histograms.indices.contains(opcode) ? histograms[opcode] : nil
    }
}
