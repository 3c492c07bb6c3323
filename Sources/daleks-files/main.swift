import DaleksFiles
import DaleksService
import DaleksSystem
import Glibc

exit(
    ServiceProgram<FilesService>.run(
        arguments: Array(CommandLine.arguments.dropFirst()),
        environment: Environment.current
    )
)
