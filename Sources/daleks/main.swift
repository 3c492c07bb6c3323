import DaleksCommands
import DaleksSystem
import Glibc

// Before any thread: see SignalWaiter.
let signals = SignalWaiter([SIGTERM, SIGINT, SIGHUP])
exit(
    CommandLineProgram.run(
        arguments: Array(CommandLine.arguments.dropFirst()),
        environment: Environment.current,
        signals: signals
    )
)
