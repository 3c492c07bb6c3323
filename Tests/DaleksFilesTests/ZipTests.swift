import DaleksAPI
import DaleksCore
import DaleksHTTP
import DaleksSystem
import DaleksTestSupport
import Testing

@testable import DaleksFiles

/// Archives, read by programs that are not ours.
struct ZipTests {
    @Test func `an archive that is made while it is sent is one that unzip reads`() throws {
        let region = try TestRegion()
        let surfaces = try TestSurfaces(region)
        let device = try TestDevice(region)
        let folder = try device.make("folder", .folder)
        let inner = try device.make("ünner", .folder, in: folder)
        var random = SeededGenerator(for: "zip")
        let bytes = random.bytes(count: 2 * Limits.spanBytes + 5)
        for (path, content) in [
            ("folder/big", bytes), ("folder/%C3%BCnner/small", Array("text".utf8)), ("folder/empty", []),
        ] {
            #expect(try surfaces.send(.put, "/v1/paths/\(path)", as: device.owner, content).status == 201)
        }
        _ = try device.make("link", .symlink, in: inner)

        let answer = try surfaces.send(.get, "/v1/nodes/\(folder)/zip", as: device.owner)

        #expect(answer.status == 200 && answer.fields["Content-Type"] == "application/zip")
        #expect(answer.fields["Content-Disposition"]?.contains("folder.zip") == true)
        let scratch = ScratchFolder()
        try scratch.write(answer.body, to: "a.zip")
        let script = """
            import zipfile, sys
            with zipfile.ZipFile(sys.argv[1]) as z:
                assert z.testzip() is None
                for i in z.infolist(): print(i.filename, i.file_size)
            """
        let python = try ChildProcess("python3", ["-c", script, scratch.path("a.zip")])
        #expect(python.wait(within: .seconds(30)) == 0)
        python.waitForOutput()
        let lines = python.lines.sorted()
        #expect(lines == ["big \(bytes.count)", "empty 0", "ünner/ 0", "ünner/link 6", "ünner/small 4"].sorted())
    }

    @Test func `the checksum is that of everybody`() {
        #expect(CRC32.of(Array("123456789".utf8)) == 0xcbf4_3926)
    }
}
