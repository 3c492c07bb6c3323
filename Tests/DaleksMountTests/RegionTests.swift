import DaleksSystem
import DaleksTestSupport
import Testing

/// What the mount is told comes back from the region, not only from this machine.
@Suite struct RegionTests {
    @Test(.needs(.fuse), .needs(.root), .needs(.program("getfattr", package: "attr")))
    func `names and attributes are the same after this machine forgot them`() throws {
        let demo = try MountedDemo(options: "owners=stored,allow_other")
        defer { demo.stop() }
        let picture = """
            find . -exec stat -c '%n %f %u %g %s %h %t:%T %y %N' {} + | sort
            getfattr -R -d -m - -e hex . 2>/dev/null
            cat folder/file
            """
        let made = try demo.script(
            """
            set -e
            mkdir -m 2750 folder; echo content > folder/file; ln folder/file hard
            ln -s 'to where' soft; mkfifo -m 600 fifo; mknod null c 1 3; mknod disk b 259 300
            touch -d '1999-12-31 23:59:59.123456789' folder/file
            touch -h -d '2001-01-01 00:00:00.000000001' soft
            chown 1234:5678 folder/file; chown -h 7:8 soft; chmod 4711 hard
            setfattr -n user.colour -v blue folder/file; setfattr -n user.gone -v x folder; setfattr -x user.gone folder
            setfattr -n trusted.root -v secret folder; setfattr -n user.name -v 0sAAH/ fifo || true
            """
        )
        #expect(made.isSuccess, "\(made.output)")
        let before = try demo.script(picture)
        demo.stop()
        try demo.forgetReplica()

        try demo.start()

        let after = try demo.script(picture)
        #expect(before.isSuccess && after.output == before.output)
        #expect(after.output.contains("user.colour") && after.output.contains("trusted.root"))
    }
}
