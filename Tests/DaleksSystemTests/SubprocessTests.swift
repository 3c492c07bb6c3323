import DaleksCore
import DaleksSystem
import DaleksTestSupport
import Glibc
import Testing

@Suite struct SubprocessTests {
    private let folder = ScratchFolder()

    private func shell(_ script: String, _ change: (inout Command) -> Void = { _ in }) -> Command {
        var command = Command("sh", ["-c", script], output: .discard, errors: .discard)
        change(&command)
        return command
    }

    private func capture(_ command: Command) throws -> Subprocess.Captured {
        try Subprocess.capture(command, timeout: .seconds(20))
    }

    /// Dead, or dead and not yet reaped by whoever inherited it.
    private func isGone(_ process: Int32) -> Bool {
        guard let bytes = try? Files.readAll("/proc/\(process)/stat", max: 4_096) else { return true }
        let afterName = String(decoding: bytes, as: UTF8.self).split(separator: ")").last ?? ""
        return afterName.hasPrefix(" Z") || afterName.hasPrefix(" X")
    }

    @Test func `what a child says and how it ends is captured`() throws {
        let result = try capture(shell("echo out; echo err >&2; exit 7"))
        #expect(result.outputText == "out\n" && result.errorText == "err\n")
        #expect(result.ending == .exited(7) && !result.ending.isSuccess && !result.hasTimedOut)
        #expect(try capture(Command("true")).ending.isSuccess)
        #expect(try capture(shell("kill -9 $$")).ending == .signaled(SIGKILL))
    }

    @Test func `arguments, variables and the folder arrive as given, with no shell between`() throws {
        let odd = "two words; $(echo no) 'é' *"
        let arguments = try capture(Command("printf", ["%s|", odd, "", "-x"]))
        #expect(arguments.outputText == "\(odd)||-x|")
        let variables = try capture(Command("env", [], environment: ["PATH": "/usr/bin:/bin", "A": "b=c"]))
        #expect(Set(variables.outputText.split(separator: "\n")) == ["PATH=/usr/bin:/bin", "A=b=c"])
        let place = try capture(Command("pwd", [], directory: "/usr/lib"))
        #expect(place.outputText == "/usr/lib\n")
    }

    @Test func `input is given whole, and a child need not read it`() throws {
        let bytes = (0..<1_000_000).map { UInt8(truncatingIfNeeded: $0 * 11) }
        #expect(try capture(Command("cat", [], input: .bytes(bytes))).output == bytes)
        #expect(try capture(Command("true", [], input: .bytes(bytes))).ending.isSuccess)
        #expect(try capture(Command("cat")).output == [])
    }

    @Test func `lines come whole and all of them before wait returns`() throws {
        let lines = Lock<[String]>([])
        var command = Command("seq", ["1", "20000"])
        command.output = .lines { line in lines.withLock { $0.append(line) } }
        let child = try Subprocess.start(command)
        #expect(child.wait(timeout: .seconds(20)) == .exited(0))
        #expect(lines.withLock { $0 } == (1...20_000).map(String.init))
    }

    @Test func `odd lines are repaired, cut or finished`() throws {
        let lines = Lock<[String]>([])
        var command = Command(
            "sh",
            ["-c", "printf 'a\\r\\n\\n\\377b\\n'; printf 'x%.0s' $(seq 20000); printf '\\nlast'"]
        )
        command.output = .lines { line in lines.withLock { $0.append(line) } }
        #expect(try Subprocess.start(command).wait(timeout: .seconds(20)) == .exited(0))
        let seen = lines.withLock { $0 }
        #expect(seen.prefix(3) == ["a", "", "\u{fffd}b"])
        #expect(seen.dropFirst(3).map(\.utf8.count) == [16_384, 20_000 - 16_384, 4])
        #expect(seen.last == "last")
    }

    @Test func `lines become events of the log`() throws {
        let events = Lock<[String]>([])
        let clock = ManualClock()
        let logger = Logger(level: .info, style: .text, time: clock.source) { line in
            events.withLock { $0.append(line) }
        }
        var command = Command("echo", ["hello there"])
        command.output = .logged(logger, as: "greeter")
        _ = try Subprocess.start(command).wait(timeout: .seconds(20))
        #expect(
            events.withLock { $0 } == [
                "2027-01-15T08:00:00.000Z info child process wrote program=greeter line=\"hello there\""
            ]
        )
    }

    @Test func `a program that cannot start says why, at once`() throws {
        func error(_ command: Command) -> Errno? {
            do throws(SubprocessError) {
                _ = try Subprocess.start(command)
                return nil
            } catch {
                return error.errno
            }
        }
        try folder.write("not a program", to: "plain")
        #expect(error(Command("no-such-program-anywhere")) == .noEntry)
        #expect(error(Command("/no/such/program")) == .noEntry)
        #expect(error(Command(folder.path("plain"))) == .accessDenied)
        #expect(error(Command(folder.path)) == .accessDenied)
        #expect(chmod(folder.path("plain"), 0o700) == 0)
        #expect(error(Command(folder.path("plain"))) == Errno(rawValue: ENOEXEC))
        #expect(error(Command("true", [], directory: folder.path("absent"))) == .noEntry)
        #expect(error(Command("true", ["a\0b"])) == .invalid)
        #expect(error(Command("true", [String(repeating: "x", count: 200_000)])) == .argumentListTooLong)
        #expect(error(Command("true", [], environment: ["PATH": folder.path])) == .noEntry)
        let failure = SubprocessError(program: "p", errno: .noEntry)
        #expect("\(failure)" == "p could not be started: No such file or directory")
    }

    @Test func `a child starts with default signals, an open mask and no descriptor of ours`() throws {
        SignalWaiter.ignoreBrokenPipes()
        // A library's descriptor that was not opened with O_CLOEXEC.
        let leaky = open("/dev/null", O_RDONLY)
        defer { close(leaky) }
        let result = Lock<(String, String)>(("", ""))
        // From a thread that blocks signals, as every thread of a program with a SignalWaiter does.
        let thread = Thread(name: "blocked") {
            _ = SignalWaiter([SIGUSR1, SIGTERM])
            let status = try? Subprocess.capture(Command("cat", ["/proc/self/status"]), timeout: .seconds(20))
            let descriptors = try? Subprocess.capture(Command("ls", ["/proc/self/fd"]), timeout: .seconds(20))
            result.withLock { $0 = (status?.outputText ?? "", descriptors?.outputText ?? "") }
        }
        thread.join()
        let (status, descriptors) = result.withLock { $0 }
        for line in ["SigBlk:\t0000000000000000", "SigIgn:\t0000000000000000", "SigCgt:\t0000000000000000"] {
            #expect(status.contains(line), "\(status)")
        }
        // The last is the folder that ls itself reads.
        #expect(descriptors == "0\n1\n2\n3\n")
    }

    @Test func `waiting has an end, and a child outlives a wait that gave up`() throws {
        let child = try Subprocess.start(shell("exec sleep 100"))
        #expect(child.wait(timeout: .milliseconds(30)) == nil)
        #expect(child.ending == nil)
        #expect(child.send(SIGTERM))
        #expect(child.wait(timeout: .seconds(20)) == .signaled(SIGTERM))
        #expect(child.ending == .signaled(SIGTERM))
        #expect(!child.send(SIGTERM))
        #expect(isGone(child.processID))
        #expect(kill(child.processID, 0) == -1)
    }

    @Test func `terminating asks first and insists after the grace`() throws {
        let polite = try Subprocess.start(
            shell("trap 'exit 3' TERM; touch \(folder.path("polite")); while :; do sleep 0.02; done")
        )
        #expect(eventually { access(folder.path("polite"), F_OK) == 0 })
        #expect(polite.terminate(grace: .seconds(20)) == .exited(3))
        let deaf = try Subprocess.start(
            shell("trap '' TERM; touch \(folder.path("deaf")); while :; do sleep 0.02; done")
        )
        #expect(eventually { access(folder.path("deaf"), F_OK) == 0 })
        #expect(deaf.terminate(grace: .milliseconds(50)) == .signaled(SIGKILL))
        #expect(deaf.terminate(grace: .zero) == .signaled(SIGKILL))
    }

    @Test func `a group is ended with its leader`() throws {
        let line = Lock("")
        let child = try Subprocess.start(
            shell("(trap '' TERM; exec sleep 100) & echo $!; wait") { command in
                command.startsGroup = true
                command.output = .lines { text in line.withLock { $0 = text } }
            }
        )
        #expect(eventually { line.withLock { !$0.isEmpty } })
        let grandchild = try #require(Int32(line.withLock { $0 }))
        #expect(getpgid(grandchild) == child.processID)
        child.terminate(grace: .seconds(5))
        #expect(eventually { isGone(grandchild) })
    }

    @Test func `a grandchild that keeps the pipe does not keep us`() throws {
        let start = TimeSource.system.now
        let result = try capture(shell("sleep 8 & echo said"))
        #expect(result.ending == .exited(0) && result.outputText == "said\n")
        #expect(TimeSource.system.now - start < .seconds(6))
    }

    @Test func `a program that takes too long is ended`() throws {
        let result = try Subprocess.capture(
            shell("echo begun; exec sleep 100"),
            timeout: .milliseconds(300),
            grace: .seconds(5)
        )
        #expect(result.hasTimedOut && result.ending == .signaled(SIGTERM) && result.outputText == "begun\n")
    }

    @Test func `what is captured is bounded and the child can go on`() throws {
        let result = try capture(Command("head", ["-c", "6000000", "/dev/zero"]))
        #expect(result.ending.isSuccess)
        #expect(result.output.count == Limits.Subprocess.capturedBytesMax)
    }

    @Test func `many children at once are all reaped`() throws {
        let failures = Lock(0)
        let threads = (0..<4).map { number in
            Thread(name: "spawn-\(number)") {
                for code in 0..<15 {
                    let child = try? Subprocess.start(Command("sh", ["-c", "exit \(code)"]))
                    if child?.wait(timeout: .seconds(60)) != .exited(Int32(code)) { failures.withLock { $0 += 1 } }
                }
            }
        }
        for thread in threads { thread.join() }
        #expect(failures.withLock { $0 } == 0)
    }

    @Test func `a child that dies with us does not die with the thread that started it`() throws {
        let child = Lock<Subprocess?>(nil)
        let command = shell("exec sleep 100") { $0.deathSignal = SIGKILL }
        Thread(name: "short-lived") { child.withLock { $0 = try? Subprocess.start(command) } }.join()
        let started = try #require(child.withLock { $0 })
        #expect(started.wait(timeout: .milliseconds(100)) == nil)
        started.terminate(grace: .seconds(5))
    }

    @Test func `a child that dies with us does, even when we are killed`() async throws {
        let path = "/tmp/daleks-test-death-\(getpid())-\(Random.word())"
        defer { unlink(path) }
        await #expect(processExitsWith: .signal(SIGKILL)) { [path = path as String] in
            let command = Command("sleep", ["100"], output: .discard, errors: .discard, deathSignal: SIGTERM)
            let child = try Subprocess.start(command)
            try Files.writeAtomically(path, Array("\(child.processID)".utf8), durable: false)
            kill(getpid(), SIGKILL)
        }
        let process = try #require(Int32(String(decoding: Files.readAll(path, max: 100), as: UTF8.self)))
        #expect(eventually { isGone(process) })
    }
}
