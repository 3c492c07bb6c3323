import Glibc

exit(FilesBench.run(CommandLine.arguments))
