import DaleksCore
import Glibc

/// One of a child's three standard streams: the descriptor it gets, and the end that stays with us.
struct ChildStream: ~Copyable {
    private let childEnd: FileDescriptor?
    private let ourEnd: FileDescriptor?

    init(_ output: Command.Output) throws(Errno) {
        switch output {
        case .inherit:
            childEnd = nil
            ourEnd = nil
        case .discard:
            childEnd = try FileDescriptor.open("/dev/null", O_WRONLY).movedAboveStandard()
            ourEnd = nil
        case .lines, .bytes:
            let pipe = try Pipe()
            childEnd = consume pipe.writing
            ourEnd = consume pipe.reading
        }
    }

    init(_ input: Command.Input) throws(Errno) {
        switch input {
        case .inherit:
            childEnd = nil
            ourEnd = nil
        case .empty:
            childEnd = try FileDescriptor.open("/dev/null", O_RDONLY).movedAboveStandard()
            ourEnd = nil
        case .bytes:
            let pipe = try Pipe()
            childEnd = consume pipe.reading
            ourEnd = consume pipe.writing
        }
    }

    /// What the child gets; -1 lets it keep ours.
    var childRaw: Int32 {
        switch childEnd {
        case .some(let end): end.raw
        case nil: -1
        }
    }

    /// Closes the child's end, which is its own now, and gives ours away.
    consuming func takeOurs() -> FileDescriptor? { ourEnd }

    /// Reads until nobody holds the other end. It blocks: it is the body of a thread.
    static func drain(_ stream: consuming FileDescriptor, into output: Command.Output) {
        var splitter = LineSplitter()
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 14, alignment: 1)
        defer { buffer.deallocate() }
        while let count = try? stream.read(into: buffer), count > 0 {
            switch output {
            case .lines(let line): splitter.take(buffer[..<count], line)
            case .bytes(let sink): sink(Array(buffer[..<count]))
            case .inherit, .discard: break
            }
        }
        if case .lines(let line) = output { splitter.finish(line) }
    }

    /// Writes all of it, or until the child stops reading, which is the child's right.
    static func feed(_ bytes: [UInt8], to stream: consuming FileDescriptor) {
        // The signal of a broken pipe goes to the thread that wrote: this one, where it stays pending until the end.
        var set = sigset_t()
        sigemptyset(&set)
        sigaddset(&set, SIGPIPE)
        pthread_sigmask(SIG_BLOCK, &set, nil)
        try? stream.writeAll(bytes)
    }
}
