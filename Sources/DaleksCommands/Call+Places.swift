import DaleksAPI
import DaleksClient
import DaleksCore
import DaleksHTTPClient
import DaleksJSON
import DaleksSystem

/// What most verbs begin with.
extension Call {
    func places() throws(CommandFailure) -> Places {
        do throws(Places.BadProfile) {
            return try Places(profile: settings.text("profile"), environment: environment)
        } catch {
            throw .usage(error.description)
        }
    }

    func credentialStore() throws(CommandFailure) -> CredentialStore {
        if let path = settings.optionalText("credentials") { return CredentialStore(path: path) }
        return CredentialStore(path: try places().credentials)
    }

    func stateFolder() throws(CommandFailure) -> String {
        if let folder = settings.optionalText("state") { return folder }
        return try places().stateFolder
    }

    func credentials() throws(CommandFailure) -> Credentials {
        let store = try credentialStore()
        do throws(CredentialStore.Failure) { return try store.load() } catch { throw CommandFailure(error) }
    }

    static func http(_ trust: Trust = Trust(), line: LineLimits = LineLimits()) -> HTTPClient {
        var configuration = HTTPClientConfiguration(userAgent: "daleks/\(Version.current)", caFile: trust.caFile)
        configuration.line = line
        configuration.requiresTLS = !trust.allowsHTTP
        return HTTPClient(configuration: configuration)
    }

    /// Where to mount: as told, or the profile's usual place.
    func mountPoint() throws(CommandFailure) -> String {
        if let folder = settings.positionals.first { return folder }
        return try places().mountPoint
    }

    /// Runs a request, with its failure in the words of the command line.
    func asking<Answer>(_ question: () throws(ClientFailure) -> Answer) throws(CommandFailure) -> Answer {
        do throws(ClientFailure) { return try question() } catch { throw CommandFailure(error) }
    }

    /// Says it to a person, or to a program where that was asked for.
    func answer(_ text: @autoclosure () -> String, _ json: @autoclosure () -> JSONObject) {
        if settings.flag("json") { console.say(json()) } else { console.say(text()) }
    }
}
