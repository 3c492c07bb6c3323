import DaleksAPI
import DaleksCore
import DaleksHTTP
import DaleksJSON
import DaleksSystem
import Glibc

/// What `bench/region` measures with: a `daleks-files` that stands beside this program, tokens for it, and devices that
/// send batches faster than a script could.
///
/// `bench-files serve FOLDER` starts it, says in one line of JSON where it is, and then does what each line of its
/// input asks for, with one line of answer, until the input ends:
///
///     user              a token of a new user, and the user's id and root
///     batches N ROUNDS  N devices make files in batches of 500; operations a second
///     inline N ROUNDS   N devices make files of 4 KiB, one a batch, contents inline; files a second
///     chunks N          N devices put chunks of 1 MiB; MB/s
///     folder COUNT      a folder of so many files: its owner's token and its id
///     inner             stops the service, measures what no request shows (see `InnerBench`), and ends
enum FilesBench {
    static func run(_ arguments: [String]) -> Int32 {
        guard arguments.count == 3, arguments[1] == "serve" else {
            print("usage: bench-files serve FOLDER")
            return 2
        }
        do {
            try Files.createPrivateDirectory(arguments[2])
            let region = try BenchRegion(folder: arguments[2], program: sibling(arguments[0]))
            say("{\"url\":\"\(region.url)\",\"pid\":\(region.processID)}")
            while let line = readLine() {
                guard line != "inner" else {
                    say(try InnerBench(region).run())
                    return 0
                }
                say(try answer(line.split(separator: " ").map(String.init), region))
            }
            region.stop()
            return 0
        } catch {
            say(JSONValue.object(["failure": .string("\(error)")]).text)
            return 1
        }
    }

    private static func say(_ line: String) {
        print(line)
        fflush(nil)
    }

    private static func sibling(_ program: String) -> String {
        let parts = program.split(separator: "/", omittingEmptySubsequences: false)
        return (parts.dropLast() + ["daleks-files"]).joined(separator: "/")
    }

    private static func answer(_ words: [String], _ region: BenchRegion) throws -> String {
        let numbers = words.dropFirst().compactMap { Int($0) }
        switch (words.first, numbers.count) {
        case ("user", 0):
            let device = try region.device()
            return "{\"token\":\"\(device.token)\",\"user\":\"\(device.user)\",\"root\":\"\(device.root)\"}"
        case ("batches", 2): return "\(try batches(region, clients: numbers[0], rounds: numbers[1]))"
        case ("inline", 2): return "\(try inline(region, clients: numbers[0], rounds: numbers[1]))"
        case ("pairs", 2): return "\(try pairs(region, clients: numbers[0], rounds: numbers[1]))"
        case ("chunks", 1): return "\(try chunks(region, clients: numbers[0]))"
        case ("folder", 1):
            let device = try region.device()
            for first in stride(from: 0, to: numbers[0], by: 1_000) {
                try device.run((first..<min(first + 1_000, numbers[0])).map { device.creation("file \($0)").0 })
            }
            return "{\"token\":\"\(device.token)\",\"root\":\"\(device.root)\"}"
        default: throw BenchFailure("\(words) is nothing to ask for")
        }
    }

    /// Runs `body` on so many threads and gives the seconds from the first start to the last end.
    static func together(_ count: Int, _ body: @escaping @Sendable (Int) throws -> Void) throws -> Double {
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

    private static func batches(_ region: BenchRegion, clients: Int, rounds: Int) throws -> Double {
        let size = 500
        let devices = try (0..<clients).map { _ in try region.device() }
        let seconds = try together(clients) { index in
            let device = devices[index]
            for round in 0..<rounds {
                try device.run((0..<size).map { device.creation("file \(round) \($0)").0 })
            }
        }
        return Double(clients * rounds * size) / seconds
    }

    private static func inline(_ region: BenchRegion, clients: Int, rounds: Int) throws -> Double {
        let devices = try (0..<clients).map { _ in try region.device() }
        let seconds = try together(clients) { index in
            let device = devices[index]
            for round in 0..<rounds {
                let (creation, file) = device.creation("file \(round)")
                try device.run([creation, device.commit(Random.bytes(count: 4_096), to: file)])
            }
        }
        return Double(clients * rounds) / seconds
    }

    /// Files of 4 KiB as a mount brings them: 250 to a batch, each made and then given its content.
    private static func pairs(_ region: BenchRegion, clients: Int, rounds: Int) throws -> Double {
        let size = 250
        let devices = try (0..<clients).map { _ in try region.device() }
        let seconds = try together(clients) { index in
            let device = devices[index]
            for round in 0..<rounds {
                let made = (0..<size).map { device.creation("file \(round) \($0)") }
                let commits = made.enumerated().map { number, made in
                    device.commit(Random.bytes(count: 4_096), to: made.1, after: number)
                }
                try device.run(made.map(\.0) + commits)
            }
        }
        return Double(clients * rounds * 2 * size) / seconds
    }

    private static func chunks(_ region: BenchRegion, clients: Int) throws -> Double {
        let count = 192 / clients
        let devices = try (0..<clients).map { _ in try region.device() }
        let bytes = (0..<count).map { _ in Random.bytes(count: 1 << 20) }
        let seconds = try together(clients) { index in
            for chunk in bytes { try devices[index].put(chunk) }
        }
        return Double(clients * count) * 1.048576 / seconds
    }
}

struct BenchFailure: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}
