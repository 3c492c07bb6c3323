import DaleksSystem
import Glibc

exit(UsersProgram.run(arguments: Array(CommandLine.arguments.dropFirst()), environment: Environment.current))
