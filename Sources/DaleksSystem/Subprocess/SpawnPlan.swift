import Glibc

/// A command made ready: everything that allocates or can be refused is done before the child exists.
struct SpawnPlan: Sendable {
    let path: String
    let arguments: [String]
    let environment: [String]
    let directory: String?
    let deathSignal: Int32
    let startsGroup: Bool

    init(_ command: Command) throws(Errno) {
        let texts = [command.program] + command.arguments + command.environment.flatMap { [$0.key, $0.value] }
        // C would see such a text cut short.
        guard texts.allSatisfy({ !$0.utf8.contains(0) }) else { throw .invalid }
        path = try Self.find(command.program, in: command.environment["PATH"] ?? "/usr/local/bin:/usr/bin:/bin")
        arguments = [command.program] + command.arguments
        environment = command.environment.map { "\($0.key)=\($0.value)" }
        directory = command.directory
        deathSignal = command.deathSignal ?? 0
        startsGroup = command.startsGroup
    }

    private static func find(_ program: String, in path: String) throws(Errno) -> String {
        if program.contains("/") { return program }
        for folder in path.split(separator: ":", omittingEmptySubsequences: false) {
            let candidate = "\(folder.isEmpty ? "." : folder)/\(program)"
            if access(candidate, X_OK) == 0, !Files.isDirectory(candidate) { return candidate }
        }
        throw .noEntry
    }

    /// Starts the child on the spawner's thread; its id. The descriptors are borrowed, -1 keeps ours.
    func start(standard: (Int32, Int32, Int32)) throws(Errno) -> Int32 {
        let pipe = try Pipe()
        let report = pipe.writing.raw
        let child = Spawner.shared.perform { startHere(standard, report: report) }
        if child < 0 { throw Errno(rawValue: -child) }
        // The child has its own copy; ours would hide the end that says exec succeeded.
        try pipe.writing.close()
        if let failure = Self.reported(by: pipe.reading) {
            // It never became the program: nobody else knows of it, so it is ours to bury.
            var status: Int32 = 0
            _ = try? retryingInterrupts { waitpid(child, &status, 0) }
            throw failure
        }
        return child
    }

    private func startHere(_ standard: (Int32, Int32, Int32), report: Int32) -> Int32 {
        var arguments: [UnsafeMutablePointer<CChar>?] = self.arguments.map { strdup($0) } + [nil]
        var environment: [UnsafeMutablePointer<CChar>?] = self.environment.map { strdup($0) } + [nil]
        let directory = self.directory.map { strdup($0) } ?? nil
        defer {
            for text in arguments + environment + [directory] { free(text) }
        }
        return path.withCString { path in
            arguments.withUnsafeMutableBufferPointer { arguments -> Int32 in
                environment.withUnsafeMutableBufferPointer { environment -> Int32 in
                    guard let first = arguments.baseAddress, let firstVariable = environment.baseAddress else {
                        return -EINVAL
                    }
                    let child = Shim.Child(
                        path: path,
                        arguments: first,
                        environment: firstVariable,
                        directory: directory,
                        standard: standard,
                        report: report,
                        parent: getpid(),
                        deathSignal: deathSignal,
                        startsGroup: startsGroup
                    )
                    return Shim.startChild(child)
                }
            }
        }
    }

    /// What went wrong between vfork and exec; nil when exec closed the pipe.
    private static func reported(by pipe: borrowing FileDescriptor) -> Errno? {
        var number: Int32 = 0
        let count = withUnsafeMutableBytes(of: &number) { raw in
            (try? pipe.read(into: raw)) ?? 0
        }
        return count == MemoryLayout<Int32>.size ? Errno(rawValue: number) : nil
    }
}
