import DaleksCore
import DaleksJSON
import DaleksSystem
import DaleksTestSupport
import Glibc

/// What names stand for in some folders: of a mount, or of the region.
struct TreePicture {
    struct Item: Equatable {
        let node: String
        let size: Int64
        let links: Int64
        let modified: Int64
        /// The bytes, where a mount told them.
        let content: [UInt8]?

        static func == (left: Self, right: Self) -> Bool {
            (left.node, left.size, left.links, left.modified) == (right.node, right.size, right.links, right.modified)
                && (left.content == nil || right.content == nil || left.content == right.content)
        }
    }

    private(set) var items: [String: Item] = [:]

    /// All of it is opened and read.
    init(mount: RunningMount, folders: [String]) throws {
        for folder in folders {
            for name in try Files.entries(of: "\(mount.path)/\(folder)") {
                let file = try FileDescriptor.open("\(mount.path)/\(folder)/\(name)", O_RDONLY)
                let status = try file.status()
                items["\(folder)/\(name)"] = Item(
                    node: try LinuxCalls.nodeID(of: file.raw),
                    size: Int64(status.st_size),
                    links: Int64(status.st_nlink),
                    modified: Int64(status.st_mtim.tv_sec) * 1_000_000_000 + Int64(status.st_mtim.tv_nsec),
                    content: try LinuxCalls.content(of: file.raw, max: 65_536)
                )
            }
        }
    }

    /// As `daleks ls` asks the region itself.
    init(region: RunningSystem, credentials: String, folders: [String]) throws {
        for folder in folders {
            let words = [
                "ls", "--json", "--credentials", region.scratch.path("\(credentials).json"), "daleks:/\(folder)",
            ]
            let command = Command("\(RunningProgram.folder)/daleks", words, environment: ["HOME": region.scratch.path])
            let outcome = try Subprocess.capture(command, timeout: .seconds(60))
            guard outcome.ending == .exited(0) else { throw RunningSystem.Failure(description: "ls: \(outcome)") }
            for entry in try JSONReader(try JSONValue.parse(outcome.output)).array("entries") {
                let node = try entry.object("node")
                items["\(folder)/\(try entry.string("name"))"] = Item(
                    node: try node.string("id"),
                    size: try node.integer("size"),
                    links: try node.integer("links"),
                    modified: try node.integer("mtime"),
                    content: nil
                )
            }
        }
    }

    /// What is different, in words; at most some of it.
    func differences(from other: TreePicture) -> [String] {
        let names = Set(items.keys).union(other.items.keys).sorted()
        return Array(names.filter { items[$0] != other.items[$0] }.prefix(10)).map { name in
            "\(name): \(Self.shown(items[name])), and not \(Self.shown(other.items[name]))"
        }
    }

    private static func shown(_ item: Item?) -> String {
        guard let item else { return "nothing" }
        let text = item.content.map { " \"\(String(decoding: $0.prefix(30), as: UTF8.self))\"" } ?? ""
        return "\(item.node) of \(item.size) bytes, \(item.links) links, \(item.modified)\(text)"
    }
}
