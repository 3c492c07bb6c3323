import DaleksSystem
import Glibc

// A static release build compiles this target too, and has no Testing module.
#if canImport(Testing)
public import Testing
#endif

/// What a test needs of the machine. Where it is missing, the test is skipped and the reason printed: a test that did
/// not run must not look like one that passed.
public struct Requirement: Sendable {
    public let reason: String
    private let check: @Sendable () -> Bool

    public init(_ reason: String, _ check: @escaping @Sendable () -> Bool) {
        self.reason = reason
        self.check = check
    }

    public var isMet: Bool { check() }

    /// A program in the PATH, from the named package.
    public static func program(_ name: String, package: String) -> Requirement {
        Requirement("\(name) is not installed (apt install \(package))") {
            (Environment.current["PATH"] ?? "").split(separator: ":").contains { access("\($0)/\(name)", X_OK) == 0 }
        }
    }

    /// The kernel's door for file systems, which some containers lack.
    public static let fuse = Requirement("/dev/fuse cannot be opened here") {
        access("/dev/fuse", R_OK | W_OK) == 0
    }

    /// What other file systems do differs in details.
    public static let ext4 = Requirement("temporary files are not on ext4, with which we compare") {
        let words = ["-f", "-c", "%T", Environment.current["TMPDIR"] ?? "/tmp"]
        let captured = try? Subprocess.capture(Command("/usr/bin/stat", words), timeout: .seconds(10))
        return captured.map { String(decoding: $0.output, as: UTF8.self).hasPrefix("ext2/ext3") } ?? false
    }

    public static let root = Requirement("only root may do this") { geteuid() == 0 }

    /// Root may do what file modes forbid, so what tests those needs somebody else.
    public static let ordinaryUser = Requirement("root is not stopped by file modes") { geteuid() != 0 }
}

#if canImport(Testing)
extension Trait where Self == ConditionTrait {
    /// Runs the test only where the machine can.
    public static func needs(_ requirement: Requirement) -> ConditionTrait {
        .enabled(Comment(rawValue: requirement.reason)) {
            if requirement.isMet { return true }
            print("skipped: \(requirement.reason)")
            return false
        }
    }
}
#endif
