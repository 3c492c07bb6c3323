import DaleksCore
import DaleksSystem
import DaleksTestSupport
import Testing

@Suite struct SettingsTests {
    private enum Mode: String, CaseIterable { case fast, safe }

    private static func schema(positionals: String? = nil, defaultFiles: [String] = []) -> SettingsSchema {
        SettingsSchema(
            program: "daleks-test",
            about: "Tries the settings.",
            options: [
                Option("port", .integer(0...65_535), default: "8080", help: "Where to listen."),
                Option("users-url", .text(placeholder: "URL"), help: "Where the users service is."),
                Option("state", .text(placeholder: "DIR"), default: "/var/lib/x", help: "Where the state is."),
                Option("idle", .duration, default: "1m", help: "How long a connection may idle."),
                Option("cache", .bytes, default: "64MiB", help: "How much is kept."),
                Option("mode", .choice(["fast", "safe"]), default: "safe", help: "Which way."),
                Option("foreground", .flag, help: "Stays in front."),
                Option("color", .flag, default: "true", help: "Paints."),
                Option("option", .text(placeholder: "OPTS"), help: "Mount options.", short: "o", repeats: true),
                Option("token", .text(placeholder: "SECRET"), help: "Opens the door.", isSecret: true),
                Option("pin", .integer(1...9_999), help: "Opens another.", isSecret: true),
            ],
            positionals: positionals,
            version: "1.2.3",
            defaultFiles: defaultFiles,
            keysOfOthers: ["theirs"]
        )
    }

    private func load(
        _ arguments: [String],
        environment: [String: String] = [:],
        schema: SettingsSchema = schema()
    ) throws -> Settings {
        switch try Settings.load(schema, arguments: arguments, environment: environment) {
        case .run(let settings): return settings
        case .print(let text): throw SettingsError("printed: \(text)")
        }
    }

    private func printed(_ arguments: [String], environment: [String: String] = [:]) throws -> String {
        switch try Settings.load(Self.schema(), arguments: arguments, environment: environment) {
        case .run: throw SettingsError("it ran")
        case .print(let text): return text
        }
    }

    private func refusal(
        _ arguments: [String],
        environment: [String: String] = [:],
        schema: SettingsSchema = schema()
    ) -> String {
        do {
            _ = try Settings.load(schema, arguments: arguments, environment: environment)
            return "no error"
        } catch {
            return error.message
        }
    }

    @Test func `defaults hold where nobody says anything`() throws {
        let settings = try load([])
        #expect(try settings.integer("port", in: 0...65_535) == 8_080)
        #expect(settings.text("state") == "/var/lib/x")
        #expect(settings.optionalText("users-url") == nil)
        #expect(try settings.duration("idle") == .seconds(60))
        #expect(try settings.bytes("cache") == 64 << 20)
        #expect(try settings.choice("mode", Mode.self) == .safe)
        #expect(!settings.flag("foreground") && settings.flag("color"))
        #expect(settings.texts("option") == [] && settings.positionals == [])
        #expect(settings.origin(of: "port") == .standard && settings.origin(of: "token") == nil)
    }

    @Test func `a flag wins over the environment, that over the file, that over the default`() throws {
        let folder = ScratchFolder()
        let file = try folder.write("port = 3\nstate = from-file\nidle = 3s\n", to: "a.conf")
        let environment = ["DALEKS_PORT": "2", "DALEKS_STATE": "from-environment", "DALEKS_CONFIG": file]
        let settings = try load(["--port", "1"], environment: environment)
        #expect(try settings.integer("port") == 1)
        #expect(settings.text("state") == "from-environment")
        #expect(try settings.duration("idle") == .seconds(3))
        #expect(try settings.bytes("cache") == 64 << 20)
        #expect(settings.origin(of: "port") == .flag("--port"))
        #expect(settings.origin(of: "state") == .environment("DALEKS_STATE"))
        #expect(settings.origin(of: "idle") == .file(file, line: 3))
    }

    @Test(arguments: [
        ["--port=9"], ["--port", "9"], ["--port=9", "--"], ["--foreground", "--port", "9", "--no-color"],
    ])
    func `a value may be attached or follow`(arguments: [String]) throws {
        #expect(try load(arguments).integer("port") == 9)
    }

    @Test func `flags are switched on, off and by value`() throws {
        #expect(try load(["--foreground"]).flag("foreground"))
        #expect(try load(["--foreground=yes"]).flag("foreground"))
        #expect(try !load(["--foreground=off"]).flag("foreground"))
        #expect(try !load(["--no-color"]).flag("color"))
        #expect(try !load([], environment: ["DALEKS_COLOR": "0"]).flag("color"))
        #expect(
            refusal(["--foreground=maybe"])
                == "--foreground: \"maybe\" is neither true nor false (from flag --foreground)"
        )
        #expect(refusal(["--no-color=1"]) == "--no-color takes no value")
        #expect(refusal(["--no-port"]).hasPrefix("unknown option --no-port"))
    }

    @Test func `short flags exist only where declared`() throws {
        #expect(try load(["-o", "a,b", "-oc", "--option=d"]).texts("option") == ["a,b", "c", "d"])
        #expect(try load(["-o", "a", "-o", "b"]).optionalText("option") == "b")
        #expect(refusal(["-x"]).hasPrefix("unknown option -x"))
        #expect(refusal(["-port"]) == "unknown option -port (did you mean --port?)")
        #expect(refusal(["-o"]) == "-o needs a value: -o OPTS")
        #expect(refusal(["-o", "--port", "1"]) == "-o needs a value: -o OPTS")
    }

    @Test(arguments: [
        ("--prot", "--port"), ("--pport", "--port"), ("--user-url", "--users-url"), ("--users", "--users-url"),
        ("--colour", "--color"), ("--verison", "--version"), ("--forground", "--foreground"),
    ])
    func `an unknown flag is answered with the closest known`(typed: String, meant: String) {
        #expect(refusal([typed]) == "unknown option \(typed) (did you mean \(meant)?)")
        #expect(refusal(["\(typed)=secret-value"]) == "unknown option \(typed) (did you mean \(meant)?)")
    }

    @Test func `an unknown flag like no other is answered with where to look`() {
        #expect(refusal(["--frobnicate"]) == "unknown option --frobnicate; daleks-test --help lists them all")
    }

    @Test func `a variable holds several values of a repeated option between semicolons`() throws {
        let environment = ["DALEKS_OPTION": "one=1,b ; two words;;", "DALEKS_STATE": "a;b"]
        let settings = try load([], environment: environment)
        #expect(settings.texts("option") == ["one=1,b", "two words"])
        #expect(settings.text("state") == "a;b")
        #expect(try load(["-o", "x"], environment: environment).texts("option") == ["x"])
    }

    @Test func `a flag given twice is refused unless it may be repeated`() {
        #expect(refusal(["--port", "1", "--port=2"]) == "--port is given more than once; give it once")
        #expect(refusal(["--color", "--no-color"]) == "--color is given more than once; give it once")
    }

    @Test func `a missing value is not the next flag`() {
        #expect(refusal(["--port"]) == "--port needs a value: --port N")
        #expect(refusal(["--state", "--foreground"]) == "--state needs a value: --state DIR")
        #expect(refusal(["--state", "-o", "x"]) == "--state needs a value: --state DIR")
    }

    @Test func `a value may begin with one dash, and with two when attached`() throws {
        #expect(try load(["--state", "-"]).text("state") == "-")
        #expect(try load(["--state", "-5"]).text("state") == "-5")
        #expect(try load(["--state=--x"]).text("state") == "--x")
        #expect(try load(["--state="]).text("state") == "")
    }

    @Test func `arguments without a flag are counted by the schema`() throws {
        let two = Self.schema(positionals: "PATH [DIR]")
        #expect(try load(["a"], schema: two).positionals == ["a"])
        #expect(try load(["a", "--port=1", "b"], schema: two).positionals == ["a", "b"])
        #expect(try load(["--", "--port", "-o"], schema: two).positionals == ["--port", "-o"])
        #expect(try load(["-"], schema: two).positionals == ["-"])
        let usage = "usage: daleks-test [options] PATH [DIR]"
        #expect(refusal([], schema: two) == "an argument is missing; \(usage)")
        #expect(refusal(["a", "b", "c"], schema: two) == "unexpected argument \"c\"; \(usage)")
        #expect(refusal(["a"]) == "unexpected argument \"a\"; usage: daleks-test [options]")
        let many = Self.schema(positionals: "[PATH...]")
        #expect(try load([], schema: many).positionals == [])
        #expect(try load(["a", "b", "c", "d"], schema: many).positionals.count == 4)
    }

    @Test func `values are checked wherever they come from, and the error says where`() throws {
        let folder = ScratchFolder()
        let file = try folder.write("\n# a comment\nport = eighty\n", to: "bad.conf")
        #expect(
            refusal(["--port", "70000"]) == "--port: \"70000\" is not a whole number from 0 to 65535 (from flag --port)"
        )
        #expect(
            refusal([], environment: ["DALEKS_PORT": "x"])
                == "--port: \"x\" is not a whole number from 0 to 65535 (from environment DALEKS_PORT)"
        )
        #expect(
            refusal(["--config", file]) == "--port: \"eighty\" is not a whole number from 0 to 65535 (from \(file):3)"
        )
        #expect(refusal(["--idle", "5"]).contains("is not a duration such as"))
        #expect(refusal(["--cache", "5 parsecs"]).contains("is not a size such as"))
        #expect(refusal(["--mode", "quick"]) == "--mode: \"quick\" is not one of fast, safe (from flag --mode)")
        #expect(refusal(["--state", "a\0b"]).contains("holds a NUL byte"))
    }

    @Test func `an error never shows a secret`() {
        let message = refusal(["--pin", "hunter2"])
        #expect(message == "--pin: its value is not a whole number from 1 to 9999 (from flag --pin)")
    }

    @Test func `a program may refuse a value in the same words`() throws {
        let settings = try load(["--state=/nowhere"])
        #expect(
            settings.refusing("state", "cannot be written").message
                == "--state: \"/nowhere\" cannot be written (from flag --state)"
        )
        #expect(throws: SettingsError("--port: \"8080\" is not a whole number from 1 to 10 (from default)")) {
            try settings.integer("port", in: 1...10)
        }
        #expect(throws: SettingsError.self) { try settings.duration("state") }
        #expect(throws: SettingsError.self) { try settings.bytes("state") }
        #expect(throws: SettingsError.self) { try settings.choice("state", Mode.self) }
    }

    @Test func `an empty variable is one that is not set`() throws {
        #expect(try load([], environment: ["DALEKS_PORT": ""]).integer("port") == 8_080)
    }

    @Test func `a required option says how to give it`() {
        let schema = SettingsSchema(
            program: "p",
            about: "",
            options: [Option("users", help: "Where.", isRequired: true)]
        )
        #expect(
            refusal([], schema: schema)
                == "--users is required: give the flag, DALEKS_USERS in the environment, or users in a file"
        )
        #expect(refusal(["--users=x"], schema: schema) == "no error")
    }

    @Test func `--version and --help answer beside any mistake, unless after the end of the flags`() throws {
        #expect(try printed(["--version"]) == "daleks-test 1.2.3")
        #expect(try printed(["--nonsense", "--help"]).hasPrefix("Usage: daleks-test [options]\n"))
        #expect(try printed(["-h"]).hasPrefix("Usage: "))
        #expect(try load(["--", "--help"], schema: Self.schema(positionals: "[X]")).positionals == ["--help"])
    }

    @Test func `--help lists every option with default and variable at 80 columns`() throws {
        let help = try printed(["--help"])
        #expect(help.split(separator: "\n").allSatisfy { $0.count <= 80 })
        for expected in [
            "  --port N\n        Where to listen.\n        Default: 8080. Environment: DALEKS_PORT.",
            "  --users-url URL\n        Where the users service is.\n        Environment: DALEKS_USERS_URL.",
            "  -o OPTS, --option OPTS\n", "May be repeated.", "  --[no-]color\n", "  --foreground\n",
            "  --mode fast|safe\n",
            "  --config FILE\n", "  --print-config\n", "  -h, --help\n", "  --version\n", "Default: 64MiB.",
        ] {
            #expect(help.contains(expected), "\(expected)")
        }
    }

    @Test func `long help wraps at spaces`() {
        let schema = SettingsSchema(
            program: "p",
            about: String(repeating: "many words ", count: 40),
            options: [Option("x", default: "y", help: String(repeating: "explained ", count: 40))]
        )
        let lines = schema.help.split(separator: "\n")
        #expect(lines.allSatisfy { $0.count <= 80 && $0.last != " " })
        #expect(lines.count > 15)
    }

    @Test func `--print-config shows every setting, its origin, and no secret`() throws {
        let text = try printed(
            [
                "--print-config", "--token=hunter2", "--users-url", "postgres://me:hunter3@host/db", "-o", "a", "-o",
                "b \"c\"",
            ],
            environment: ["DALEKS_PIN": "1234", "DALEKS_FOREGROUND": "1"]
        )
        #expect(
            text == """
                # daleks-test 1.2.3
                port = 8080  # default
                users-url = "postgres://me:(redacted)@host/db"  # flag --users-url
                state = "/var/lib/x"  # default
                idle = 1m  # default
                cache = 64MiB  # default
                mode = safe  # default
                foreground = true  # environment DALEKS_FOREGROUND
                color = true  # default
                option = "a"  # flag --option
                option = "b \\"c\\""  # flag --option
                # token = (redacted)  # flag --token
                # pin = (redacted)  # environment DALEKS_PIN
                """
        )
    }

    @Test func `what --print-config prints can be read back`() throws {
        let folder = ScratchFolder()
        let arguments = ["--state=a \\ \"quoted\" # not a comment\t", "--port=7", "-o", "x", "-o", "y=1", "--no-color"]
        let original = try load(arguments)
        let file = try folder.write(printed(["--print-config"] + arguments), to: "printed.conf")
        let again = try load(["--config", file])
        for name in ["state", "port", "option", "color", "idle", "mode", "foreground"] {
            #expect(again.texts(name) == original.texts(name), "\(name)")
        }
    }
}
