import DaleksFiles
import DaleksService
import DaleksSystem
import Glibc

let arguments = Array(CommandLine.arguments.dropFirst())
if let verb = arguments.first.flatMap({ FilesAdmin.Verb(rawValue: $0) }) {
    exit(
        FilesAdmin.run(verb, arguments: Array(arguments.dropFirst()), environment: Environment.current) { text in
            let line = Array((text + "\n").utf8)
            _ = line.withUnsafeBytes { write(STDOUT_FILENO, $0.baseAddress, $0.count) }
        }
    )
}
exit(ServiceProgram<FilesService>.run(arguments: arguments, environment: Environment.current))
