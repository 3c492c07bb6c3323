import DaleksSystem
import DaleksTestSupport
import Glibc

/// Two machines of one account: two daemons, two mounts, and services of their own.
struct TwoMachines {
    let house: Household
    let here: Person
    let there: Person

    init() throws {
        house = try Household()
        here = try house.person()
        // The same account on another machine. The path of its control socket may not be long.
        let other = Person(name: here.name, home: house.scratch.path("there"))
        try Files.createPrivateDirectory(other.home, durable: false)
        let words = "login --users \(house.usersURL) --region local --email \(here.email) --password-stdin"
        try other.run(words.split(separator: " ").map(String.init), input: Person.password + "\n").expectSuccess()
        there = other
        for person in [here, there] { try Files.createPrivateDirectory(person.path("daleks"), durable: false) }
    }

    func mounted(_ options: String = "", _ body: (_ here: String, _ there: String) throws -> Void) throws {
        for person in [here, there] { try person.done(options.isEmpty ? "mount" : "mount -o \(options)") }
        defer { for person in [here, there] { _ = try? person.run(["umount", "--now"]) } }
        try body(here.path("daleks"), there.path("daleks"))
    }

    /// Runs lines that have both folders, and files of either by `at(folder, name)`; what they print.
    func python(_ lines: String, _ arguments: [String]) throws -> String {
        let preface = """
            import errno, os, sys, time
            here, there = sys.argv[1:3]
            def at(folder, name):
                end = time.monotonic() + 20
                while not os.path.exists(folder + "/" + name) and time.monotonic() < end: time.sleep(0.02)
                return os.open(folder + "/" + name, os.O_RDWR)
            def tell(what, call):
                try: call(); print(what, "done", flush=True)
                except OSError as e: print(what, errno.errorcode[e.errno], flush=True)
            def until(call, seconds=20):
                end = time.monotonic() + seconds
                while True:
                    try: return call()
                    except OSError as e:
                        if time.monotonic() > end: raise
                    time.sleep(0.02)

            """
        let captured = try Subprocess.capture(
            Command("python3", ["-c", preface + lines] + arguments, deathSignal: SIGKILL),
            timeout: .seconds(120)
        )
        return captured.outputText + captured.errorText
    }
}
