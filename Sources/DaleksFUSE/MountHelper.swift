import CFuse
import DaleksCore
import DaleksSystem
import Glibc

/// fusermount3, through which an ordinary user mounts and unmounts.
enum MountHelper {
    private static let program = "fusermount3"

    static func mount(_ path: String, _ options: FUSEMountOptions) throws(FUSEError) -> FileDescriptor {
        let socket = try socket()
        // The helper sends the open device over the socket whose number it finds in this variable.
        let child = try HelperProcess(
            [program, "-o", options.helperOptions, "--", path],
            environment: "_FUSE_COMMFD=\(HelperProcess.extraDescriptor)",
            extra: socket.second.raw
        )
        // While we have its end too, the socket would not end with the helper.
        try? socket.second.close()
        let received = daleks_fuse_receive_descriptor(socket.first.raw)
        let (status, complaint) = child.wait()
        if received >= 0 {
            let connection = FileDescriptor(owning: received)
            if status == 0 { return connection }
        }
        throw refusal(path, complaint)
    }

    static func unmount(_ path: String, lazily: Bool) throws(FUSEError) {
        let child = try HelperProcess([program, "-u"] + (lazily ? ["-z"] : []) + ["--", path])
        let (status, complaint) = child.wait()
        if status == 0 { return }
        throw complaint.contains("busy") ? .unmountBusy(path) : .unmountRefused(path, complaint)
    }

    /// The helper has one exit status for all; its words are the program's interface.
    private static func refusal(_ path: String, _ complaint: String) -> FUSEError {
        if complaint.contains("/dev/fuse") { return .deviceRefused(.accessDenied) }
        if complaint.contains("device not found") { return .deviceMissing }
        if complaint.contains("user_allow_other") {
            return .option("others may enter only once `user_allow_other` stands in /etc/fuse.conf")
        }
        let isRefused = complaint.contains("no write access") || complaint.contains("not owned by user")
        return isRefused ? .mountPointRefused(path, .accessDenied) : .mountRefused(path, complaint)
    }

    private static func socket() throws(FUSEError) -> DescriptorPair {
        do throws(Errno) {
            return try DescriptorPair()
        } catch {
            throw .system("making a socket for fusermount3", error)
        }
    }
}

extension FUSEMountOptions {
    /// For fusermount3, which takes commas in the source if a backslash stands before them.
    fileprivate var helperOptions: String {
        let escaped = source.reduce(into: "") { text, character in
            if character == "," || character == "\\" { text += "\\" }
            text.append(character)
        }
        var words = ["fsname=\(escaped)", "subtype=\(subtype)", isReadOnly ? "ro" : "rw"]
        // Left out, the helper's default is the stricter; the opposite is root's alone, and it says so.
        words.append(ignoresSetID ? "nosuid" : "suid")
        words.append(ignoresDevices ? "nodev" : "dev")
        if forbidsExecution { words.append("noexec") }
        return (words + kernelOptions).joined(separator: ",")
    }
}
