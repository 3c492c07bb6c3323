import DaleksService
import DaleksSystem
import DaleksUsers
import Glibc

exit(
    ServiceProgram<UsersService>.run(
        arguments: Array(CommandLine.arguments.dropFirst()),
        environment: Environment.current
    )
)
