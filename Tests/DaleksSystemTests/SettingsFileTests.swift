import DaleksCore
import DaleksSystem
import DaleksTestSupport
import Testing

@Suite struct SettingsFileTests {
    private let folder = ScratchFolder()

    private func schema(defaultFiles: [String] = []) -> SettingsSchema {
        SettingsSchema(
            program: "daleks-test",
            about: "",
            options: [
                Option("name", help: ""), Option("database-url", help: ""), Option("quiet", .flag, help: ""),
                Option("root", help: "", repeats: true),
            ],
            defaultFiles: defaultFiles,
            keysOfOthers: ["verb-of-another"]
        )
    }

    private func load(_ text: String) throws -> Settings {
        let file = try folder.write(text, to: "test.conf")
        return try run(["--config", file])
    }

    private func run(_ arguments: [String], defaultFiles: [String] = []) throws -> Settings {
        let schema = schema(defaultFiles: defaultFiles)
        guard case .run(let settings) = try Settings.load(schema, arguments: arguments, environment: [:]) else {
            throw SettingsError("printed")
        }
        return settings
    }

    private func refusal(_ text: String) -> String {
        do {
            _ = try load(text)
            return "no error"
        } catch {
            return "\(error)".replacing(folder.path("test.conf"), with: "FILE")
        }
    }

    @Test(arguments: [
        ("name = plain", "plain"), ("name=plain", "plain"), ("  name\t=  two words  ", "two words"),
        ("name = value # comment", "value"), ("name = http://host/#part", "http://host/#part"),
        ("name = \"quoted # text\" # comment", "quoted # text"), ("name = 'literal \\n'", "literal \\n"),
        ("name = \"a\\tb\\n\\\"\\\\\"", "a\tb\n\"\\"), ("name = a=b", "a=b"), ("name =", ""), ("name = \"\"", ""),
        ("name = # only a comment", ""), ("NAME = x", "x"), ("name = x\r\nquiet = true\r\n", "x"),
        ("# one\n; two\n\nname = x", "x"), ("name = [::1]:80", "[::1]:80"), ("name = Größe", "Größe"),
    ])
    func `a line is read as it was meant`(text: String, value: String) throws {
        #expect(try load(text).text("name") == value)
    }

    @Test func `a section is a prefix and an underscore a dash`() throws {
        #expect(try load("[database] # where\nurl = x").text("database-url") == "x")
        #expect(try load("database_url = y").text("database-url") == "y")
    }

    @Test func `a key may be repeated only where its option may`() throws {
        #expect(try load("root = a\nroot = b\n").texts("root") == ["a", "b"])
        #expect(refusal("name = a\nname = b") == "FILE:2: name is set a second time; set it once")
    }

    @Test func `a flag replaces all lines of a repeated key`() throws {
        let file = try folder.write("root = a\nroot = b\n", to: "roots.conf")
        #expect(try run(["--config", file, "--root=c"]).texts("root") == ["c"])
    }

    @Test(arguments: [
        ("\nnaem = x", "FILE:2: unknown key naem (did you mean name?)"),
        ("frobnication = x", "FILE:1: unknown key frobnication"),
        ("config = x", "FILE:1: unknown key config"),
        ("[database]\nname = x", "FILE:2: unknown key database-name"),
        ("hunter2", "FILE:1: a line reads key = value"),
        ("= x", "FILE:1: a line reads key = value"),
        ("a b = x", "FILE:1: a line reads key = value"),
        ("name = \"open", "FILE:1: the value of name is quoted wrongly"),
        ("name = \"a\" b", "FILE:1: the value of name is quoted wrongly"),
        ("name = \"bad \\q\"", "FILE:1: the value of name is quoted wrongly"),
        ("name = 'open", "FILE:1: the value of name is quoted wrongly"),
        ("[database", "FILE:1: a section reads [name]"), ("[]", "FILE:1: a section reads [name]"),
        ("quiet = perhaps", "--quiet: \"perhaps\" is neither true nor false (from FILE:1)"),
    ])
    func `a mistake is told with file and line`(text: String, message: String) {
        #expect(refusal(text) == message)
    }

    @Test func `keys of others who share the file are left to them`() throws {
        #expect(try load("verb-of-another = 1\nname = x").text("name") == "x")
    }

    @Test func `a named file must exist, be a file, be small and be text`() throws {
        func message(_ path: String) -> String {
            do {
                _ = try run(["--config", path])
                return "no error"
            } catch {
                return "\(error)".replacing(folder.path, with: "DIR")
            }
        }
        #expect(message(folder.path("absent")) == "the settings file DIR/absent does not exist")
        #expect(message(folder.path) == "the settings file DIR cannot be read: Is a directory")
        let big = try folder.write([UInt8](repeating: 35, count: Limits.Settings.fileBytesMax + 1), to: "big")
        #expect(message(big) == "the settings file DIR/big is larger than 262144 bytes")
        #expect(message(try folder.write([0xff], to: "binary")) == "DIR/binary is not a text file in UTF-8")
    }

    @Test func `the first default file that exists is read, and none needs to`() throws {
        let second = try folder.write("name = second", to: "second.conf")
        let third = try folder.write("name = third", to: "third.conf")
        let files = [folder.path("absent/first.conf"), second, third]
        #expect(try run([], defaultFiles: files).text("name") == "second")
        #expect(try run(["--config", third], defaultFiles: files).text("name") == "third")
        #expect(try run([], defaultFiles: [folder.path("absent")]).optionalText("name") == nil)
    }

    @Test func `random bytes are read or refused, never a crash`() throws {
        var random = SeededGenerator(for: "settings file")
        let pieces = ["name", "=", "[", "]", "\"", "'", "\\", "#", "\n", " ", "\r", "é", "quiet", "true", "\0"]
        for _ in 0..<2_000 {
            let text = (0..<Int.random(in: 0...20, using: &random)).map { _ in
                pieces[Int.random(in: 0..<pieces.count, using: &random)]
            }
            _ = refusal(text.joined())
        }
    }
}
