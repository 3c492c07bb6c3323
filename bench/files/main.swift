import DaleksSystem
import Glibc

exit(FilesBench.run(CommandLine.arguments, Environment.current))
