import DaleksHTTPServer
import DaleksSystem
import Glibc

// The server that `bench/http` measures: bench-http-server FOLDER [EVENT_THREADS]. It prints its port and serves until
// its standard input ends.
BenchServer.run(Array(CommandLine.arguments.dropFirst()))
