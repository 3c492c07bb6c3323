import DaleksCore
import DaleksFUSE
import DaleksSystem
import DaleksTestSupport
import Glibc

/// A disk that forgets what was not synchronised. `lossy-disk FOLDER SEED` mounts it and prints `mounted`; at SIGUSR1
/// the power goes: it unmounts, forgets, mounts what is left and prints `mounted` again. SIGTERM ends it.
enum LossyProgram {
    static func run(_ arguments: [String]) -> Int32 {
        guard arguments.count == 2, let seed = UInt64(arguments[1]) else {
            print("usage: lossy-disk FOLDER SEED")
            return 2
        }
        // Before any thread, so that only `wait` receives them.
        let signals = SignalWaiter([SIGTERM, SIGINT, SIGUSR1])
        var random = SeededGenerator(seed: seed)
        var image = LossyImage()
        while true {
            let files = LossyFileSystem(image)
            do throws(FUSEError) {
                var options = FUSEMountOptions()
                options.source = "lossy"
                options.defaultPermissions = false
                let session = try FUSESession(fileSystem: files, options: options)
                try session.mount(at: arguments[0])
                let serving = Thread(name: "serve") { _ = try? session.run() }
                say("mounted")
                let signal = signals.wait(timeout: nil)
                _ = try? session.unmount(.lazily)
                session.exit()
                serving.join()
                guard signal == SIGUSR1 else { return 0 }
            } catch {
                say("failed: \(error)")
                return 1
            }
            image = files.image.withLock { $0 }
            image.cut(&random)
        }
    }

    private static func say(_ text: String) {
        let line = Array("\(text)\n".utf8)
        _ = Glibc.write(STDOUT_FILENO, line, line.count)
    }
}
