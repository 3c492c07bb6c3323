import DaleksAPI
import DaleksClient
import DaleksHTTPClient
import DaleksJSON
import DaleksSystem

enum PauseVerb: Verb {
    static let name = "pause"
    static let about = "Stops sending changes, or slows down with a limit. Work goes on, and is kept here."
    static let options = LineOptions.options(defaults: nil)

    static let examples: KeyValuePairs = [
        "daleks pause": "on a slow or dear line; once it returns nothing more goes out",
        "daleks pause --upload-limit 200KiB": "does not stop, but leaves most of the line to others",
    ]

    static func run(_ call: Call) throws(CommandFailure) {
        if let request = try call.limitRequest() {
            let answer = try call.limit(request)
            return call.answer(LimitWords.told(answer) ?? "Nothing is limited.", answer.object)
        }
        let answer = try call.control(ControlRequest(.pause))
        call.answer("Paused.", answer.object)
    }
}

enum ResumeVerb: Verb {
    static let name = "resume"
    static let about = "Goes on sending changes."
    static let options = LineOptions.options(defaults: nil)

    static let examples: KeyValuePairs = [
        "daleks resume": "sends what was kept, no faster than it was limited to",
        "daleks resume --upload-limit 0": "as fast as the line is",
        "daleks resume --upload-limit 1MiB --download-limit 4MiB": "no faster than that, until the mount ends",
    ]

    static func run(_ call: Call) throws(CommandFailure) {
        if let request = try call.limitRequest() { _ = try call.limit(request) }
        let answer = try call.control(ControlRequest(.resume))
        call.answer(["Resumed.", LimitWords.told(answer)].compactMap { $0 }.joined(separator: " "), answer.object)
    }
}

/// What a mount may take of the line, in words.
enum LimitWords {
    /// Nil where nothing is limited.
    static func told(_ answer: ControlAnswer) -> String? {
        let parts = [
            answer.uploadLimit.map { "sent at up to \(Shown.bytes($0)) a second" },
            answer.downloadLimit.map { "received at up to \(Shown.bytes($0)) a second" },
        ].compactMap { $0 }
        return parts.isEmpty ? nil : "Files are \(parts.joined(separator: " and "))."
    }

    /// The same with what takes it back.
    static func status(_ answer: ControlAnswer) -> String? {
        guard let told = told(answer) else { return nil }
        let (up, down) = LineOptions.names
        let flags = [answer.uploadLimit.map { _ in "--\(up) 0" }, answer.downloadLimit.map { _ in "--\(down) 0" }]
        return "\(told)\n`daleks resume \(flags.compactMap { $0 }.joined(separator: " "))` lifts that."
    }
}

extension Call {
    /// What this very command says of the line. A limit that stands in the environment for every mount is no wish to
    /// slow down instead of stopping.
    fileprivate func limitRequest() throws(CommandFailure) -> ControlRequest? {
        let (up, down) = LineOptions.names
        guard settings.isFlagged(up) || settings.isFlagged(down) else { return nil }
        func rate(_ name: String) throws(CommandFailure) -> Int64? {
            guard settings.isFlagged(name) else { return nil }
            do throws(SettingsError) { return try LineOptions.rate(name, settings) ?? 0 } catch {
                throw .usage(error.message)
            }
        }
        return ControlRequest(.limit, uploadLimit: try rate(up), downloadLimit: try rate(down))
    }

    fileprivate func limit(_ request: ControlRequest) throws(CommandFailure) -> ControlAnswer {
        let answer = try control(request)
        if let failure = answer.failure { throw .failed(failure) }
        return answer
    }

    /// For a command that sends or receives by itself.
    func line() throws(CommandFailure) -> LineLimits {
        do throws(SettingsError) { return try LineOptions.limits(settings) } catch { throw .usage(error.message) }
    }

    /// For a mount that begins.
    func lineRates() throws(CommandFailure) -> [(name: String, rate: Int64)] {
        var rates: [(name: String, rate: Int64)] = []
        for name in [LineOptions.names.up, LineOptions.names.down] {
            do throws(SettingsError) {
                if let rate = try LineOptions.rate(name, settings) { rates.append((name, rate)) }
            } catch { throw .usage(error.message) }
        }
        return rates
    }
}
