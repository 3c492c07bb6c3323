public import DaleksCore

extension Limits {
    public enum Subprocess {
        /// A longer line of a child's output is cut into pieces of this size.
        public static let lineBytesMax = 16_384
        /// What `capture` keeps of each stream; the rest is read and dropped so that the child can go on.
        public static let capturedBytesMax = 1 << 22
        /// How long output is still read after a child ended: a grandchild may hold the pipe open for ever.
        public static let outputGrace = Duration.seconds(1)
    }
}

/// A program to run, with everything it gets from us.
public struct Command: Sendable {
    public enum Input: Sendable {
        /// Reading finds the end at once.
        case empty
        case inherit
        /// Then the end. What a child does not read is dropped.
        case bytes([UInt8])
    }

    public enum Output: Sendable {
        case inherit
        case discard
        /// Called with each line, without its newline, on a thread of the child's own.
        case lines(@Sendable (String) -> Void)
        /// Called with what arrived, whenever some did, on a thread of the child's own.
        case bytes(@Sendable ([UInt8]) -> Void)

        /// Each line becomes an event of ours that says who spoke.
        public static func logged(_ logger: Logger, as name: String) -> Output {
            .lines { line in logger.info("child process wrote", ["program": name, "line": line]) }
        }
    }

    /// A path, or a name that is looked for in the `PATH` of `environment`.
    public var program: String
    /// After the program's own name.
    public var arguments: [String]
    /// All of it: nothing is inherited beside it.
    public var environment: [String: String]
    public var directory: String?
    public var input: Input
    public var output: Output
    public var errors: Output
    /// The kernel sends this to the child when we die, however we die.
    public var deathSignal: Int32?
    /// The child leads a process group: Ctrl-C on our terminal does not reach it, and signals of ours reach all of it.
    public var startsGroup: Bool

    public init(
        _ program: String,
        _ arguments: [String] = [],
        environment: [String: String] = Environment.current,
        directory: String? = nil,
        input: Input = .empty,
        output: Output = .inherit,
        errors: Output = .inherit,
        deathSignal: Int32? = nil,
        startsGroup: Bool = false
    ) {
        self.program = program
        self.arguments = arguments
        self.environment = environment
        self.directory = directory
        self.input = input
        self.output = output
        self.errors = errors
        self.deathSignal = deathSignal
        self.startsGroup = startsGroup
    }
}
