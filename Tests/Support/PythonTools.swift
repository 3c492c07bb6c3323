import DaleksSystem

/// The virtual environment that `Tests/venv` makes: what the tests start from PyPI.
public enum PythonTools {
    /// Its folder of programs, made ready on first use; the reason where that cannot be (no network, no venv module).
    public static let programs: Result<String, ChildProcess.Failure> = {
        do {
            let script = try ChildProcess("\(tests)/venv")
            guard let exitCode = script.wait(within: .seconds(300)) else {
                script.stop()
                return .failure(ChildProcess.Failure(description: "Tests/venv did not finish"))
            }
            // The reason or, whatever was said before, the folder comes last.
            script.waitForOutput()
            guard exitCode == 0 else {
                let reason = script.lines.last ?? "it said nothing"
                return .failure(ChildProcess.Failure(description: "Tests/venv failed: \(reason)"))
            }
            guard let folder = script.lines.last, folder.hasPrefix("/") else {
                return .failure(ChildProcess.Failure(description: "Tests/venv named no folder"))
            }
            return .success("\(folder)/bin")
        } catch {
            return .failure(ChildProcess.Failure(description: "Tests/venv cannot run: \(error)"))
        }
    }()

    /// Nil where they are there.
    public static let unavailability: String? = {
        if case .failure(let failure) = programs { failure.description } else { nil }
    }()

    /// The folder `Tests` of the repository.
    public static let tests = "/" + #filePath.split(separator: "/").dropLast(2).joined(separator: "/")
}
