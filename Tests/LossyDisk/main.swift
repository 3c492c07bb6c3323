import Glibc

exit(LossyProgram.run(Array(CommandLine.arguments.dropFirst())))
