import DaleksCore
import DaleksPostgres
import DaleksSystem
import DaleksTestSupport

/// A pool on tables of its own.
func makePool(
    url: String? = nil,
    migrations: [Migration] = [],
    logger: Logger = .silent,
    _ configure: (inout PostgresConfiguration) -> Void = { _ in }
) throws -> PostgresPool {
    var configuration = PostgresConfiguration(applicationName: "daleks-tests")
    configure(&configuration)
    let url = try url ?? PostgresServer.shared().makeSchema()
    return try PostgresPool.open(url: url, configuration: configuration, migrations: migrations, logger: logger)
}

/// What the body throws, as what this adapter throws.
func postgresError(_ body: () throws -> Void) -> PostgresError? {
    do {
        try body()
        return nil
    } catch {
        return error as? PostgresError
    }
}

/// Runs the body on so many threads at once, waits for all, and returns what they threw.
func onThreads(_ count: Int, _ body: @escaping @Sendable (Int) throws -> Void) -> [any Error] {
    let errors = Lock<[any Error]>([])
    let threads = (0..<count).map { index in
        Thread(name: "test-\(index)") {
            do { try body(index) } catch { errors.withLock { $0.append(error) } }
        }
    }
    for thread in threads { thread.join() }
    return errors.withLock { $0 }
}

/// Collects what comes from other threads, and waits for it.
final class Collected<Element: Sendable>: Sendable {
    private let elements = Condition<[Element]>([])

    func append(_ element: Element) {
        elements.withLock { $0.append(element) }
        elements.broadcast()
    }

    var all: [Element] { elements.withLock { $0 } }

    /// Whether that came within ten seconds.
    func wait(until isThere: @escaping ([Element]) -> Bool) -> Bool {
        elements.wait(timeout: .seconds(10)) { isThere($0) ? true : nil } ?? false
    }
}

func secondsSince(_ start: Instant) -> Double { (TimeSource.system.now - start).inSeconds }
