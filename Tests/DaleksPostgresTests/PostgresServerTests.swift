import DaleksCore
import DaleksPostgres
import DaleksSystem
import DaleksTestSupport
import Glibc
import Testing

@Suite(.needs(.postgres))
struct PostgresServerTests {
    @Test func `the server keeps its word about durability`() throws {
        let row = try makePool().query(
            """
            SELECT current_setting('fsync'), current_setting('synchronous_commit'),
                current_setting('full_page_writes')
            """
        )[0]
        #expect(try [row.text(0), row.text(1), row.text(2)] == ["on", "on", "on"])
    }

    @Test func `nothing is left once the line to it is cut`() throws {
        var server: PostgresServer? = try PostgresServer()
        let folder = try #require(server?.folder)
        let process = try #require(try Int32(server?.processID() ?? ""))
        let watcher = try #require(server?.watcherID)
        #expect(kill(process, 0) == 0 || errno == EPERM)

        // What the kernel does to a process that is killed: its descriptors close.
        server = nil

        func isThere() -> Bool { kill(process, 0) == 0 || errno == EPERM || access(folder, F_OK) == 0 }
        #expect(eventually { !isThere() })
        // Not even a child that nobody fetched, on which the testing library's exit tests would spin for ever.
        #expect(eventually { waitid(P_PID, id_t(watcher), nil, WEXITED | WNOHANG | WNOWAIT) == -1 && errno == ECHILD })
    }
}
