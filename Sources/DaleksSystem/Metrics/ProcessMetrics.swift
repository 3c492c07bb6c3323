import DaleksCore
import Glibc

extension Metrics {
    /// What the kernel knows of this process, under the names that Prometheus' own libraries use.
    public func addProcess(time: TimeSource = .system) {
        let start = Double(time.wall.nanoseconds) / 1e9
        gauge("process_start_time_seconds", help: "When the process started, in seconds since 1970.") { start }
        gauge("process_resident_memory_bytes", help: "Memory that the process holds.") {
            Self.statistic(1) * Double(getpagesize())
        }
        gauge("process_virtual_memory_bytes", help: "Addresses that the process has mapped.") {
            Self.statistic(0) * Double(getpagesize())
        }
        gauge("process_open_fds", help: "Open descriptors.") { Double(Self.openDescriptorCount) }
        gauge("process_threads", help: "Threads.") { Double(Self.entryCount(of: "/proc/self/task")) }
        counter("process_cpu_seconds_total", help: "Processor time used, in seconds.") {
            var used = timespec()
            clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used)
            return Double(used.tv_sec) + Double(used.tv_nsec) / 1e9
        }
    }

    /// A field of /proc/self/statm, in pages.
    private static func statistic(_ field: Int) -> Double {
        guard let bytes = try? Files.readAll("/proc/self/statm", max: 4_096) else { return .nan }
        let fields = String(decoding: bytes, as: UTF8.self).split(separator: " ")
        return fields.count > field ? Double(fields[field]) ?? .nan : .nan
    }

    /// One of them is the one that counts them.
    private static var openDescriptorCount: Int { max(0, entryCount(of: "/proc/self/fd") - 1) }

    private static func entryCount(of folder: String) -> Int {
        (try? Files.entries(of: folder))?.count ?? 0
    }
}
