import DaleksSystem
import DaleksTestSupport

extension RunningProgram {
    convenience init(_ arguments: [String]) throws { try self.init("daleks-files", arguments) }

    static func run(_ arguments: [String]) throws -> Subprocess.Captured { try run("daleks-files", arguments) }

    var url: String { fact("url") }
}
