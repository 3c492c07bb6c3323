import DaleksSystem
import Glibc

exit(FilesProgram.run(arguments: Array(CommandLine.arguments.dropFirst()), environment: Environment.current))
