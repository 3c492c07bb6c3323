import DaleksSystem
import DaleksTestSupport

extension RunningProgram {
    convenience init(_ arguments: [String]) throws { try self.init("daleks-users", arguments) }

    static func run(_ arguments: [String]) throws -> Subprocess.Captured { try run("daleks-users", arguments) }

    var url: String { fact("issuer") }
}
