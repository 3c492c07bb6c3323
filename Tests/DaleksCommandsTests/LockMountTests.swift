import DaleksSystem
import DaleksTestSupport
import Glibc
import Testing

/// Locks of programs on two machines of one account: two daemons, two mounts, and what others wrote that locks files.
@Suite(.serialized, .needs(.fuse), .needs(.program("python3", package: "python3"))) struct LockMountTests {
    private static let machines = Result { try TwoMachines() }

    private let machines: TwoMachines
    private var house: Household { machines.house }
    private var here: Person { machines.here }
    private var there: Person { machines.there }

    init() throws { machines = try Self.machines.get() }

    private func mounted(_ options: String = "", _ body: (_ here: String, _ there: String) throws -> Void) throws {
        try machines.mounted(options, body)
    }

    /// Runs lines that have both folders, and files of either by `at(folder, name)`; what they print.
    private func python(_ lines: String, _ here: String, _ there: String) throws -> String {
        let preface = """
            import fcntl, signal, sqlite3, subprocess
            EX, SH, NB, UN = fcntl.LOCK_EX, fcntl.LOCK_SH, fcntl.LOCK_NB, fcntl.LOCK_UN

            """
        return try machines.python(preface + lines, [here, there])
    }

    @Test func `fcntl and flock exclude programs of the other machine, who have it when it ends`() throws {
        try mounted { here, there in
            let said = try python(
                """
                open(here + "/two", "w").write("nobody's")
                a, b = at(here, "two"), at(there, "two")
                for name, lock in (("fcntl", fcntl.lockf), ("flock", fcntl.flock)):
                    tell(name + " here", lambda: lock(a, EX | NB))
                    tell(name + " there", lambda: lock(b, EX | NB))
                    tell(name + " there, to read", lambda: lock(b, SH | NB))
                    child = os.fork()
                    if child == 0:
                        lock(b, EX)
                        print(name, "there sees", os.pread(b, 100, 0).decode(), flush=True)
                        os._exit(0)
                    time.sleep(0.3)
                    os.pwrite(a, ("by " + name).ljust(8).encode(), 0)
                    lock(a, UN)
                    os.waitpid(child, 0)
                    lock(b, UN)
                    until(lambda: lock(a, SH | NB))
                    tell(name + " two read", lambda: until(lambda: lock(b, SH | NB)))
                    lock(a, UN); lock(b, UN)
                """,
                here,
                there
            )
            #expect(
                said == """
                    fcntl here done
                    fcntl there EAGAIN
                    fcntl there, to read EAGAIN
                    fcntl there sees by fcntl
                    fcntl two read done
                    flock here done
                    flock there EAGAIN
                    flock there, to read EAGAIN
                    flock there sees by flock
                    flock two read done

                    """
            )
        }
    }

    @Test func `on one machine locks are as on a disk`() throws {
        try mounted { here, there in
            let script = """
                f = sys.argv[1] + "/one"
                open(f, "w").write("x" * 100)
                a, b = os.open(f, os.O_RDWR), os.open(f, os.O_RDWR)
                def child(body):
                    p = os.fork()
                    if p == 0:
                        try: body()
                        finally: os._exit(0)
                    os.waitpid(p, 0)
                fcntl.lockf(a, EX, 10, 20)
                tell("own", lambda: fcntl.lockf(b, EX | NB, 10, 20))
                child(lambda: tell("other, same bytes", lambda: fcntl.lockf(b, SH | NB, 1, 25)))
                child(lambda: tell("other, beside", lambda: fcntl.lockf(b, EX | NB, 0, 30)))
                fcntl.lockf(a, UN, 2, 24)
                child(lambda: tell("other, in the hole", lambda: fcntl.lockf(b, EX | NB, 2, 24)))
                child(lambda: tell("other, across", lambda: fcntl.lockf(b, EX | NB, 4, 23)))
                import struct
                def query():
                    t, w, s, l, p = struct.unpack("hhqqi4x", fcntl.fcntl(b, fcntl.F_GETLK,
                        struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 0, 0, 0)))
                    print("query", t == fcntl.F_WRLCK, s, l, p == os.getppid(), flush=True)
                child(query)
                os.close(os.open(f, os.O_RDONLY))
                child(lambda: tell("after any close", lambda: fcntl.lockf(b, EX | NB)))
                OFD = struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 0, 0, 0)
                tell("open file's", lambda: fcntl.fcntl(a, 37, OFD))
                tell("another open file's", lambda: fcntl.fcntl(b, 37, OFD))
                tell("process's", lambda: fcntl.lockf(b, EX | NB))
                os.close(a)
                tell("after it went", lambda: until(lambda: fcntl.fcntl(b, 37, OFD), 5))
                fcntl.fcntl(b, 37, struct.pack("hhqqi4x", fcntl.F_UNLCK, 0, 0, 0, 0))
                a = os.open(f, os.O_RDWR)
                fcntl.flock(a, EX)
                tell("flock", lambda: fcntl.flock(b, SH | NB))
                tell("fcntl beside flock", lambda: fcntl.lockf(b, EX | NB))
                signal.signal(signal.SIGALRM, lambda *_: (_ for _ in ()).throw(InterruptedError(errno.EINTR, "")))
                signal.alarm(1)
                tell("interrupted", lambda: fcntl.flock(b, EX))
                fcntl.flock(a, UN)
                tell("then free", lambda: fcntl.flock(b, EX | NB))
                """
            let disk = house.scratch.path("disk")
            try Files.createPrivateDirectory(disk, durable: false)
            let onDisk = try python(script, disk, disk)
            #expect(try python(script, here, there) == onDisk)
            #expect(onDisk.contains("interrupted EINTR") && !onDisk.contains("Traceback"), "\(onDisk)")
        }
    }

    @Test func `a database is written from both machines at once, and no row is lost`() throws {
        try mounted { here, there in
            let said = try python(
                """
                rounds = int(os.environ.get("DALEKS_ROUNDS", "6"))
                def work(path, who):
                    for i in range(rounds):
                        end = time.monotonic() + 60
                        while True:
                            try:
                                c = sqlite3.connect(path, timeout=20, isolation_level=None)
                                c.execute("pragma synchronous=full")
                                c.execute("begin immediate")
                                c.execute("insert into t values (?, ?)", (who, i))
                                c.execute("commit")
                                c.close()
                                break
                            except sqlite3.OperationalError:
                                c.close()
                                if time.monotonic() > end: raise
                for mode in ("delete", "truncate", "persist"):
                    c = sqlite3.connect(here + "/" + mode)
                    c.execute("pragma journal_mode=" + mode)
                    c.execute("create table t (who, i)")
                    c.commit(); c.close()
                    os.close(at(there, mode))
                    children = []
                    for folder, who in ((here, "here"), (there, "there")):
                        child = os.fork()
                        if child == 0:
                            try: work(folder + "/" + mode, who)
                            except BaseException as e: print(e, flush=True)
                            os._exit(0)
                        children.append(child)
                    for child in children: os.waitpid(child, 0)
                    for folder in (here, there):
                        c = sqlite3.connect(folder + "/" + mode, timeout=20)
                        print(c.execute("pragma integrity_check").fetchall() == [("ok",)],
                            c.execute("select count(distinct who || i) from t").fetchone()[0] == 2 * rounds, flush=True)
                        c.close()
                """,
                here,
                there
            )
            #expect(said == String(repeating: "True True\n", count: 6))
        }
    }

    @Test func `a database with a write-ahead log is used from one machine after the other`() throws {
        try mounted { here, there in
            let said = try python(
                """
                for i in range(6):
                    folder = (here, there)[i % 2]
                    if i: os.close(at(folder, "wal"))
                    c = sqlite3.connect(folder + "/wal", timeout=20, isolation_level=None)
                    c.execute("pragma journal_mode=wal")
                    c.execute("create table if not exists t (i)")
                    for k in range(5): c.execute("insert into t values (?)", (5 * i + k,))
                    c.close()
                    print(c is not None, flush=True)
                c = sqlite3.connect(there + "/wal", timeout=20)
                print(c.execute("pragma integrity_check").fetchall(), c.execute("select count(*) from t").fetchall())
                """,
                here,
                there
            )
            #expect(said == String(repeating: "True\n", count: 6) + "[('ok',)] [(30,)]\n")
        }
    }

    @Test func `with locks=local the kernel keeps them to this machine`() throws {
        try mounted("locks=local") { here, there in
            let said = try python(
                """
                open(here + "/local", "w").write("x")
                a, b = at(here, "local"), at(there, "local")
                tell("here", lambda: fcntl.flock(a, EX | NB))
                tell("here again", lambda: fcntl.flock(os.open(here + "/local", os.O_RDWR), EX | NB))
                tell("there", lambda: fcntl.flock(b, EX | NB))
                """,
                here,
                there
            )
            #expect(said == "here done\nhere again EAGAIN\nthere done\n")
        }
    }

    /// As long as a lease; `DALEKS_ROUNDS=1` has it run.
    @Test(.enabled(if: Environment.current["DALEKS_ROUNDS"] != nil))
    func `the lock of a machine that was killed is free when its lease is over`() throws {
        try mounted { here, there in
            let said = try python(
                """
                open(here + "/killed", "w").write("x")
                b = at(there, "killed")
                holder = subprocess.Popen([sys.executable, "-c",
                    "import fcntl,sys,time; f = open(sys.argv[1], 'r+'); fcntl.flock(f, 2); print(1, flush=True); "
                    "time.sleep(99)",
                    here + "/killed"], stdout=subprocess.PIPE)
                holder.stdout.readline()
                tell("held", lambda: fcntl.flock(b, EX | NB))
                for pid in filter(str.isdigit, os.listdir("/proc")):
                    try: words = open("/proc/" + pid + "/cmdline").read().split("\\0")
                    except OSError: continue
                    if words[0].endswith("daleksd") and here in words: os.kill(int(pid), signal.SIGKILL)
                began = time.monotonic()
                tell("killed", lambda: fcntl.flock(b, EX | NB))
                tell("free", lambda: fcntl.flock(b, EX))
                print(time.monotonic() - began < 32)
                holder.kill()
                """,
                here,
                there
            )
            #expect(said == "held EAGAIN\nkilled EAGAIN\nfree done\nTrue\n")
        }
    }
}
