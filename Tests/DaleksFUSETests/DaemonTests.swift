import CFuse
import DaleksCore
import DaleksFUSE
import DaleksSystem
import Glibc
import Testing

/// What needs a process of its own: death, other users, another /dev. The bench's server is the daemon.
@Suite(.needsFUSE)
struct DaemonTests {
    static let program: String? = {
        var buffer = [CChar](repeating: 0, count: 4_096)
        let count = readlink("/proc/self/exe", &buffer, buffer.count)
        guard count > 0 else { return nil }
        let path = String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
        guard let slash = path.lastIndex(of: "/") else { return nil }
        let program = "\(path[..<slash])/bench-fuse"
        return access(program, X_OK) == 0 ? program : nil
    }()

    /// Runs a script with a folder of its own, which has `mnt` in it, in a mount namespace of its own.
    private func run(_ script: String) throws -> (status: Int32, output: String, folder: String) {
        let program = try #require(Self.program, "bench-fuse was not built beside the tests")
        let folder = try MountFixture.makeFolder()
        defer { _ = Child.run(["rm", "-r", "--one-file-system", folder]) }
        #expect(chmod(folder, 0o755) == 0)
        #expect(mkdir("\(folder)/mnt", 0o755) == 0)
        let prelude = """
            dir=$1 bench=$2
            await() { i=0; until [ -e "$dir/mnt/file" ]; do i=$((i+1)); [ $i -lt 500 ] || exit 99; sleep 0.01; done; }
            nobody="setpriv --reuid 65534 --regid 65534 --clear-groups"

            """
        let words = ["unshare", "-m", "sh", "-c", prelude + script, "sh", folder, program]
        let (status, output) = Child.run(words)
        return (status, output, folder)
    }

    @Test func `an ordinary user mounts and unmounts through fusermount3`() throws {
        // A device of this namespace's own, so that the machine's keeps its permissions.
        let (status, output, folder) = try run(
            """
            mknod "$dir/device" c 10 229 && chmod 666 "$dir/device" && mount --bind "$dir/device" /dev/fuse || exit 90
            chown 65534 "$dir/mnt"; cp "$bench" "$dir/bench"; chmod 755 "$dir/bench"
            $nobody "$dir/bench" "$dir/mnt" & server=$!
            i=0; until $nobody stat -c '%s' "$dir/mnt/file" 2>/dev/null; do
                i=$((i+1)); [ $i -lt 500 ] || exit 99; sleep 0.01; done
            stat "$dir/mnt/file" >/dev/null 2>&1 && echo root was let in
            grep -F " $dir/mnt " /proc/self/mounts
            $nobody kill -TERM $server; wait $server; echo ended $?
            grep -cF " $dir/mnt " /proc/self/mounts
            """
        )

        #expect(output.contains("1073741824\n"), "\(status) \(output)")
        #expect(output.contains("daleks \(folder)/mnt fuse.daleks rw,nosuid,nodev"), "\(output)")
        #expect(output.contains("user_id=65534,group_id=65534,default_permissions"))
        #expect(!output.contains("root was let in"))
        #expect(output.hasSuffix("ended 0\n0\n"), "\(output)")
    }

    @Test func `what stands in an ordinary user's way is said with its cure`() throws {
        let (_, output, folder) = try run(
            """
            cp "$bench" "$dir/bench"; chmod 755 "$dir/bench"
            mknod "$dir/closed" c 10 229 && chmod 600 "$dir/closed" && mount --bind "$dir/closed" /dev/fuse
            chown 65534 "$dir/mnt"; $nobody "$dir/bench" "$dir/mnt"; echo $?
            chmod 666 /dev/fuse; chown 0 "$dir/mnt"; $nobody "$dir/bench" "$dir/mnt"; echo $?
            chown 65534 "$dir/mnt"; PATH=/nowhere /usr/bin/setpriv --reuid 65534 "$dir/bench" "$dir/mnt"; echo $?
            mount -t tmpfs none /dev; "$bench" "$dir/mnt"; echo $?
            """
        )

        let lines = output.split(separator: "\n").map(String.init)
        #expect(
            lines == [
                "bench-fuse: \(FUSEError.deviceRefused(.accessDenied))", "1",
                "bench-fuse: \(FUSEError.mountPointRefused("\(folder)/mnt", .accessDenied))", "1",
                "bench-fuse: \(FUSEError.helperMissing)", "1",
                "bench-fuse: \(FUSEError.deviceMissing)", "1",
            ],
            "\(output)"
        )
    }

    @Test func `the mount of a daemon that died is found and healed, and a living one left alone`() throws {
        let program = try #require(Self.program, "bench-fuse was not built beside the tests")
        let folder = try MountFixture.makeFolder()
        defer {
            _ = Child.run(["umount", "-lq", folder])
            rmdir(folder)
        }
        #expect(StaleMount.state(at: folder) == .none)
        let (status, output) = Child.run(
            [
                "sh", "-c",
                """
                "$2" "$1" >/dev/null 2>&1 & echo $!
                i=0; until [ -e "$1/file" ]; do i=$((i+1)); [ $i -lt 500 ] || exit 99; sleep 0.01; done
                """, "sh", folder, program,
            ]
        )
        let process = try #require(pid_t(output.split(separator: "\n").first ?? ""), "\(status) \(output)")

        #expect(StaleMount.state(at: folder) == .alive)
        #expect(try StaleMount.heal(folder) == false)
        #expect(kill(process, SIGKILL) == 0)
        let isStale = (0..<200).contains { _ in
            usleep(10_000)
            return StaleMount.state(at: folder) == .stale
        }
        #expect(isStale)
        let session = try FUSESession(fileSystem: MemoryTree())
        #expect(throws: FUSEError.mountPointStale(folder)) { try session.mount(at: folder) }
        #expect(try StaleMount.heal(folder, subtype: "other") == false)

        #expect(try StaleMount.heal(folder) == true)
        #expect(StaleMount.state(at: folder) == .none)
        #expect(try StaleMount.heal(folder) == false)
        try session.mount(at: folder)
        try session.unmount()
    }

    @Test func `a daemon that was killed and waits for its own mount is let go of`() throws {
        let program = try #require(Self.program, "bench-fuse was not built beside the tests")
        let folder = try MountFixture.makeFolder()
        defer {
            _ = Child.run(["umount", "-lq", folder])
            rmdir(folder)
        }
        // Whoever looks the name up has the folder locked in the kernel, and a thread of the daemon waits for that.
        let (status, output) = Child.run(
            [
                "sh", "-c",
                """
                "$2" "$1" --stuck >/dev/null 2>&1 & server=$!; echo $server
                i=0; until [ -e "$1/file" ]; do i=$((i+1)); [ $i -lt 500 ] || exit 99; sleep 0.01; done
                stat "$1/stuck" >/dev/null 2>&1 &
                i=0; until cat /proc/$server/task/*/stat | grep -q '(notice) D'; do
                    i=$((i+1)); [ $i -lt 500 ] || exit 98; sleep 0.01; done
                """, "sh", folder, program,
            ]
        )
        let process = try #require(pid_t(output.split(separator: "\n").first ?? ""), "\(status) \(output)")
        try #require(status == 0, "\(output)")

        #expect(!StaleMount.abort(folder, ofDead: process), "it lives")
        #expect(kill(process, SIGKILL) == 0)
        #expect(StaleMount.state(at: folder) == .silent)
        #expect(!StaleMount.abort(folder, ofDead: getpid()))
        #expect(!StaleMount.abort(folder, ofDead: process, subtype: "other"))

        #expect(StaleMount.abort(folder, ofDead: process))
        let isOver = (0..<200).contains { _ in
            usleep(10_000)
            return [.stale, .none].contains(StaleMount.state(at: folder))
        }
        #expect(isOver)
        _ = try StaleMount.heal(folder)
        #expect(StaleMount.state(at: folder) == .none)
        // Nothing keeps it from dying any more.
        let isDead = (0..<200).contains { _ in
            usleep(10_000)
            return ((try? Files.entries(of: "/proc/\(process)/task")) ?? []).count <= 1
        }
        #expect(isDead)
    }

    @Test func `SIGTERM to the program unmounts and ends it`() throws {
        let (_, output, _) = try run(
            """
            "$bench" "$dir/mnt" & server=$!
            await; kill -TERM $server; wait $server; echo ended $?
            grep -cF " $dir/mnt " /proc/self/mounts
            """
        )

        #expect(output == "ended 0\n0\n")
    }
}
