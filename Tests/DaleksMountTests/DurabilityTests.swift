import DaleksSystem
import DaleksTestSupport
import Testing

/// When calls return: `-o durability=…`.
@Suite(.needs(.fuse), .needs(.program("getfattr", package: "attr"))) struct DurabilityTests {
    /// `status PATH…`: whether the region has them.
    private static let status = """
        status() { getfattr --only-values -n user.daleks.status "$1"; echo; }

        """

    @Test func `with close-region what was closed, made or renamed is at the region`() throws {
        let demo = try MountedDemo(options: "durability=close-region")
        defer { demo.stop() }
        let done = try demo.script(
            Self.status + """
                set -e
                mkdir folder; status folder
                for n in 1 2 3 4 5; do echo $n > folder/file; status folder/file; done
                mv folder/file folder/other; status folder/other
                ln folder/other hard; ln -s other soft; status hard
                truncate -s 100000 hard; status hard
                chmod 600 hard; status hard
                rm hard; rm -r folder; status .
                """
        )
        #expect(done.isSuccess)
        #expect(done.output == String(repeating: "synced\n", count: 11))
    }

    @Test func `with fsync-region what was synchronized is at the region, or EIO says that it is not yet`() throws {
        let demo = try MountedDemo(options: "durability=fsync-region,region-deadline=1")
        defer { demo.stop() }
        let control = "\(RunningProgram.folder)/daleks"
        let done = try demo.script(
            Self.status + """
                set -e
                for n in 1 2 3 4 5; do
                    dd if=/dev/zero of=file bs=100k count=$n conv=fsync status=none; status file
                    dd if=/dev/zero of=direct bs=4k count=$n oflag=sync status=none; status direct
                done
                echo x > new; sync -f .; sync .; status new
                \(control) pause --state ../state/client >/dev/null
                if dd if=/dev/zero of=file bs=1k count=1 conv=fsync status=none 2>error; then echo no error; fi
                status file
                \(control) resume --state ../state/client >/dev/null
                \(control) sync --state ../state/client >/dev/null
                status file
                """
        )
        #expect(done.isSuccess)
        #expect(done.output == String(repeating: "synced\n", count: 11) + "pending\nsynced\n")
        let error = try demo.script("cat error")
        #expect(error.output.contains("fsync failed for 'file': Input/output error"))
    }
}
