import DaleksSystem
import Testing

@Suite struct SettingsValueTests {
    private func settings(_ kind: Option.Kind, _ value: String) throws -> Settings? {
        let schema = SettingsSchema(program: "p", about: "", options: [Option("x", kind, help: "")])
        guard case .run(let settings)? = try? Settings.load(schema, arguments: ["--x=\(value)"], environment: [:])
        else {
            return nil
        }
        return settings
    }

    @Test(arguments: [
        ("0", Duration.zero), ("10s", .seconds(10)), ("5m", .seconds(300)), ("1h30m", .seconds(5_400)),
        ("250ms", .milliseconds(250)), ("2d", .seconds(172_800)), ("1m1s1ms1us", .microseconds(61_001_001)),
        ("0s", .zero),
    ])
    func `a duration is read with its units`(text: String, duration: Duration) throws {
        #expect(try settings(.duration, text)?.duration("x") == duration)
    }

    @Test(arguments: [
        "", "5", "s", "-5s", "1.5s", "5 s", "5S", "1m1h", "1s1s", "5ns", "1h30", "99999999999999999999s",
        "300000000000d", "١s",
        "+5s",
    ])
    func `another duration is refused`(text: String) throws {
        #expect(try settings(.duration, text) == nil)
    }

    @Test(arguments: [
        ("0", 0), ("4096", 4_096), ("1k", 1_024), ("64MiB", 64 << 20), ("1G", 1 << 30), ("2tib", 2 << 40),
        ("5MB", 5_000_000),
        ("7b", 7), ("9223372036854775807", Int64.max),
    ])
    func `a size is read with its unit`(text: String, bytes: Int64) throws {
        #expect(try settings(.bytes, text)?.bytes("x") == bytes)
    }

    @Test(arguments: ["", "-1", "1.5G", "1 G", "G", "1P", "9223372036854775808", "9000000T", "1K1", "0x10"])
    func `another size is refused`(text: String) throws {
        #expect(try settings(.bytes, text) == nil)
    }

    @Test(arguments: ["", "1.0", "0x1", " 1", "1 ", "٣", "99999999999999999999"])
    func `another whole number is refused`(text: String) throws {
        #expect(try settings(.integer(.min ... .max), text) == nil)
    }
}
