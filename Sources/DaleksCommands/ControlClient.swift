import DaleksAPI
import DaleksClient
import DaleksJSON
import DaleksSystem

/// Asks a running daemon.
struct ControlClient {
    let stateFolder: String

    enum Failure: Error {
        /// No daemon works with this state folder.
        case notRunning
        case broken(String)
    }

    func ask(_ request: ControlRequest) throws(Failure) -> ControlAnswer {
        let line: [UInt8]?
        do throws(Errno) {
            let socket = try UnixSocket.connect(to: Places.controlSocket(in: stateFolder))
            try socket.writeAll(request.jsonBytes + [UInt8(ascii: "\n")])
            line = try UnixSocket.readLine(from: socket, bytesMax: ControlLimits.answerBytesMax)
        } catch {
            if error == .noEntry || error == .connectionRefused { throw .notRunning }
            throw .broken("the daemon of \(stateFolder) does not answer: \(error)")
        }
        guard let line else { throw .broken("the daemon of \(stateFolder) ended before it answered") }
        do throws(JSONError) {
            return try ControlAnswer(json: try JSONValue.parse(line))
        } catch {
            throw .broken("the daemon of \(stateFolder) speaks another version: \(error)")
        }
    }
}

extension Call {
    /// The daemon's answer, or a line that says that there is no daemon.
    func control(_ request: ControlRequest) throws(CommandFailure) -> ControlAnswer {
        let client = ControlClient(stateFolder: try stateFolder())
        do throws(ControlClient.Failure) {
            return try client.ask(request)
        } catch {
            switch error {
            case .notRunning: throw .failed("nothing is mounted for this profile; run `daleks mount`")
            case .broken(let reason): throw .failed(reason)
            }
        }
    }
}
