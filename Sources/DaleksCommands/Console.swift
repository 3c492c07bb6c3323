import DaleksJSON
import DaleksSystem
import Glibc

/// Where a verb speaks to the person, or the script, that called it.
public struct Console: Sendable {
    private let write: @Sendable (Int32, [UInt8]) -> Void
    /// Somebody sits at standard input and can be asked.
    public let isInteractive: Bool
    /// Somebody watches standard error: progress is worth drawing.
    public let isWatched: Bool
    /// Somebody watches standard output: a picture may be drawn over the last one.
    public let isShown: Bool

    public init(
        isInteractive: Bool,
        isWatched: Bool = false,
        isShown: Bool = false,
        write: @escaping @Sendable (Int32, [UInt8]) -> Void
    ) {
        self.isInteractive = isInteractive
        self.isWatched = isWatched
        self.isShown = isShown
        self.write = write
    }

    public static let standard = Console(
        isInteractive: isatty(STDIN_FILENO) == 1,
        isWatched: isatty(STDERR_FILENO) == 1,
        isShown: isatty(STDOUT_FILENO) == 1
    ) { descriptor, bytes in
        var done = 0
        while done < bytes.count {
            let count = bytes[done...].withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            // A reader that went away (a pager, `head`) is no failure of ours.
            if count <= 0 { return }
            done += count
        }
    }

    /// To standard output.
    func say(_ line: String) { write(STDOUT_FILENO, Array((line + "\n").utf8)) }

    func say(_ json: JSONObject) {
        var bytes = json.jsonBytes
        bytes.append(UInt8(ascii: "\n"))
        write(STDOUT_FILENO, bytes)
    }

    /// To standard error, without an end of line.
    func draw(_ text: String) { write(STDERR_FILENO, Array(text.utf8)) }

    /// To standard error.
    func complain(_ line: String) { write(STDERR_FILENO, Array((line + "\n").utf8)) }

    func prompt(_ question: String) throws(CommandFailure) -> String {
        write(STDERR_FILENO, Array((question + " ").utf8))
        guard let answer = readLine(strippingNewline: true) else { throw .failed("no answer was given") }
        return answer
    }

    /// As `prompt`, with what is typed not shown.
    func promptSecretly(_ question: String, _ interruption: Interruption) throws(CommandFailure) -> String {
        var before = termios()
        guard tcgetattr(STDIN_FILENO, &before) == 0 else { return try prompt(question) }
        var silent = before
        silent.c_lflag &= ~tcflag_t(ECHO)
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent)
        defer {
            tcsetattr(STDIN_FILENO, TCSAFLUSH, &before)
            write(STDERR_FILENO, [UInt8(ascii: "\n")])
        }
        let shown = before
        let showAgain: @Sendable () -> Void = {
            var shown = shown
            tcsetattr(STDIN_FILENO, TCSAFLUSH, &shown)
            Interruption.end(by: interruption.signal ?? SIGINT)
        }
        return try interruption.handling(showAgain) { () throws(CommandFailure) in try prompt(question) }
    }
}
