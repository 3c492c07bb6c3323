import CSystem

/// The one door to CSystem: see its header for why.
enum Shim {
    static func openat(_ directory: Int32, _ path: String, _ flags: Int32, _ mode: UInt32) -> Int32 {
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

    static func nameThread(_ name: String) { daleks_name_thread(name) }

    static func dieWithParent(signal: Int32) -> Int32 { daleks_die_with_parent(signal) }

    static func environment() -> UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? { daleks_environment() }
}
