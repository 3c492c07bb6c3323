import CSystem

/// The one door to CSystem: see its header for why.
enum Shim {
    static func openat(_ directory: Int32, _ path: UnsafePointer<CChar>, _ flags: Int32, _ mode: UInt32) -> Int32 {
        daleks_openat(directory, path, flags, mode)
    }

    static func fcntl(_ descriptor: Int32, _ command: Int32, _ argument: Int32) -> Int32 {
        daleks_fcntl_int(descriptor, command, argument)
    }

    static func renameat2(_ from: (Int32, String), _ to: (Int32, String), _ flags: UInt32) -> Int32 {
        daleks_renameat2(from.0, from.1, to.0, to.1, flags)
    }

    static func getrandom(_ buffer: UnsafeMutableRawPointer?, _ count: Int) -> Int {
        daleks_getrandom(buffer, UInt(count))
    }

    static func readWithoutWaiting(_ file: Int32, _ buffer: UnsafeMutableRawBufferPointer, _ offset: Int64) -> Int {
        daleks_read_without_waiting(file, buffer.baseAddress, UInt(buffer.count), Int(offset))
    }

    static func openNameless(in folder: String) -> Int32 { daleks_open_nameless(folder) }

    static func accept(_ listener: Int32) -> Int32 { daleks_accept(listener) }

    static func getAttribute(_ path: String, _ name: String, _ value: UnsafeMutableRawPointer?, _ count: Int) -> Int {
        daleks_lgetxattr(path, name, value, UInt(count))
    }

    static func lengthenTurns(of thread: Int32, to nanoseconds: UInt) {
        _ = daleks_lengthen_turns(thread, nanoseconds)
    }

    static func punchHole(_ descriptor: Int32, _ offset: Int, _ count: Int) -> Int32 {
        daleks_punch_hole(descriptor, offset, count)
    }

    static func fallocate(_ descriptor: Int32, _ mode: Int32, _ offset: Int, _ count: Int) -> Int32 {
        daleks_fallocate(descriptor, mode, offset, count)
    }

    static func copyFileRange(_ from: (Int32, Int), _ to: (Int32, Int), _ count: Int) -> Int {
        daleks_copy_file_range(from.0, from.1, to.0, to.1, UInt(count))
    }

    static func syncfs(_ descriptor: Int32) -> Int32 { daleks_syncfs(descriptor) }

    static func setAttribute(_ descriptor: Int32, _ name: String, _ value: UnsafeRawBufferPointer) -> Int32 {
        daleks_fsetxattr(descriptor, name, value.baseAddress, UInt(value.count))
    }

    static func nameThread(_ name: String) { daleks_name_thread(name) }

    static func dieWithParent(signal: Int32) -> Int32 { daleks_die_with_parent(signal) }

    static func pipe(_ ends: UnsafeMutablePointer<Int32>) -> Int32 { daleks_pipe(ends) }

    static func environment() -> UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? { daleks_environment() }

    /// What a child becomes; pointers are borrowed until `startChild` returns.
    struct Child {
        var path: UnsafePointer<CChar>
        var arguments: UnsafePointer<UnsafeMutablePointer<CChar>?>
        var environment: UnsafePointer<UnsafeMutablePointer<CChar>?>
        var directory: UnsafePointer<CChar>?
        var standard: (Int32, Int32, Int32)
        var report: Int32
        var parent: Int32
        var deathSignal: Int32
        var startsGroup: Bool
    }

    static func startChild(_ child: Child) -> Int32 {
        var raw = daleks_child(
            path: child.path,
            arguments: child.arguments,
            environment: child.environment,
            directory: child.directory,
            standard: child.standard,
            report: child.report,
            parent: child.parent,
            death_signal: child.deathSignal,
            new_group: child.startsGroup ? 1 : 0
        )
        return daleks_start(&raw)
    }
}
