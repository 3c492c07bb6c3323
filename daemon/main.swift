import DaleksSystem
import Glibc

exit(DaemonProgram.run(arguments: Array(CommandLine.arguments.dropFirst()), environment: Environment.current))
