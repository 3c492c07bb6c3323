import DaleksAPI
import DaleksCore
import DaleksHTTP
import DaleksSystem
import Glibc

/// Measures a `daleks-files` that stands beside this program, as devices use it: over sockets, with tokens, durably.
///
/// `bench-files [STATE_FOLDER]` prints one line a figure. The folder decides which disk is measured.
enum FilesBench {
    static func run(_ arguments: [String], _ environment: [String: String]) -> Int32 {
        let folder = arguments.count > 1 ? arguments[1] : "/tmp/daleks-bench-files-\(getpid())"
        do {
            try Files.createPrivateDirectory(folder)
            let region = try BenchRegion(folder: folder, program: sibling(arguments[0]))
            try batches(region, clients: 1)
            try batches(region, clients: 4)
            for clients in [1, 16] { try smallCommits(region, clients: clients) }
            for clients in [1, 4] { try chunks(region, clients: clients) }
            try reads(region)
            region.stop()
            if arguments.count < 2 { try Files.removeTree(folder) }
            return 0
        } catch {
            print("bench-files failed: \(error)")
            return 1
        }
    }

    private static func sibling(_ program: String) -> String {
        let parts = program.split(separator: "/", omittingEmptySubsequences: false)
        return (parts.dropLast() + ["daleks-files"]).joined(separator: "/")
    }

    private static func report(_ name: String, _ figure: Double, _ unit: String) {
        let padded = name + String(repeating: " ", count: max(1, 46 - name.utf8.count))
        print("\(padded)\(Int(figure.rounded())) \(unit)")
    }

    /// Runs `body` on so many threads and gives the seconds from the first start to the last end.
    private static func together(_ count: Int, _ body: @escaping @Sendable (Int) throws -> Void) throws -> Double {
        let failure = Lock<String?>(nil)
        let began = TimeSource.system.now
        let threads = (0..<count).map { index in
            Thread(name: "client") {
                do { try body(index) } catch { failure.withLock { $0 = "\(error)" } }
            }
        }
        for thread in threads { thread.join() }
        if let failure = failure.withLock({ $0 }) { throw BenchFailure(failure) }
        return (TimeSource.system.now - began).inSeconds
    }

    private static func batches(_ region: BenchRegion, clients: Int) throws {
        let (rounds, size) = (40, 500)
        let devices = try (0..<clients).map { _ in try region.device() }
        let seconds = try together(clients) { index in
            let device = devices[index]
            for round in 0..<rounds {
                try device.run((0..<size).map { device.creation("file \(round) \($0)").0 })
            }
        }
        report(
            "creates in batches of 500, \(clients) devices",
            Double(clients * rounds * size) / seconds,
            "operations/s"
        )
    }

    private static func smallCommits(_ region: BenchRegion, clients: Int) throws {
        let rounds = clients == 1 ? 500 : 200
        let devices = try (0..<clients).map { _ in try region.device() }
        let seconds = try together(clients) { index in
            let device = devices[index]
            for round in 0..<rounds {
                let (creation, file) = device.creation("file \(round)")
                try device.run([creation, device.commit(Random.bytes(count: 4_096), to: file)])
            }
        }
        report("new files of 4 KiB inline, \(clients) devices", Double(clients * rounds) / seconds, "files/s")
    }

    private static func chunks(_ region: BenchRegion, clients: Int) throws {
        let count = 192 / clients
        let devices = try (0..<clients).map { _ in try region.device() }
        let bytes = (0..<count).map { _ in Random.bytes(count: 1 << 20) }
        let seconds = try together(clients) { index in
            for chunk in bytes { try devices[index].put(chunk) }
        }
        report("PUT of 1 MiB chunks, \(clients) devices", Double(clients * count) * 1.048576 / seconds, "MB/s")
    }

    private static func reads(_ region: BenchRegion) throws {
        let device = try region.device()
        let (creation, file) = device.creation("read")
        try device.run([creation, device.commit(Random.bytes(count: 4_096), to: file)])
        let path = Routes.Files.span(0, of: file, at: 2)
        let (clients, rounds) = (4, 3_000)
        let spans = try together(clients) { _ in for _ in 0..<rounds { try device.get(path) } }
        report("GET of a 4 KiB span, \(clients) connections", Double(clients * rounds) / spans, "requests/s")
        let nodes = try together(clients) { _ in for _ in 0..<rounds { try device.get(Routes.Files.node(file)) } }
        report("GET of a node, \(clients) connections", Double(clients * rounds) / nodes, "requests/s")
    }
}

struct BenchFailure: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}
