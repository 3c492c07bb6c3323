import DaleksAPI
import DaleksCore
import DaleksHTTP
import DaleksHTTPClient
import DaleksJSON
import DaleksService
import DaleksSystem

/// Makes a region known to its users service, once, and keeps what it got for that in a file that only it can read.
struct Enrolling {
    let usersURL: String
    let client: HTTPClient
    /// In the state folder.
    let path: String

    static let fileName = "service-credentials"

    init(_ settings: FilesSettings, client: HTTPClient) {
        usersURL = settings.usersURL
        self.client = client
        path = "\(settings.serving.stateFolder)/\(Self.fileName)"
    }

    /// What was kept, or with a token what the users service gives for it. Nil where this region was never enrolled:
    /// it hears of no revocation then, and tokens die by their own end.
    func credentials(token: String?, filesURL: String) throws(ServiceFailure) -> ServiceCredentials? {
        if let known = try load() { return known }
        guard let token else { return nil }
        let answer = try enrol(EnrolmentRequest(token: token, filesURL: filesURL))
        let credentials = ServiceCredentials(id: answer.serviceID, secret: answer.secret)
        try keep(credentials)
        return credentials
    }

    private func enrol(_ asking: EnrolmentRequest) throws(ServiceFailure) -> EnrolmentAnswer {
        var request = ClientRequest(
            .post,
            usersURL + Routes.Users.enrolments,
            body: .bytes(asking.jsonBytes),
            sink: .memory(max: Limits.Files.requestBytesMax),
            deadline: .seconds(30)
        )
        request.fields.set("Content-Type", "application/json")
        do {
            let response = try client.send(request)
            guard response.status == .created else {
                throw ServiceFailure(
                    "the users service did not enrol this region (\(response.status)): ask for a new --enrol-token"
                )
            }
            return try EnrolmentAnswer(json: try JSONValue.parse(response.body))
        } catch let failure as ServiceFailure {
            throw failure
        } catch {
            throw ServiceFailure("this region could not be enrolled at \(usersURL): \(error)")
        }
    }

    private func load() throws(ServiceFailure) -> ServiceCredentials? {
        let bytes: [UInt8]
        do throws(Errno) {
            bytes = try Files.readAll(path, max: Limits.Files.requestBytesMax)
        } catch {
            guard error == .noEntry else { throw ServiceFailure("\(path) cannot be read: \(error)") }
            return nil
        }
        do {
            let reader = JSONReader(try JSONValue.parse(bytes))
            return ServiceCredentials(id: try reader.string("service_id"), secret: try reader.string("secret"))
        } catch {
            throw ServiceFailure("\(path) is damaged: remove it and start once with a new --enrol-token")
        }
    }

    private func keep(_ credentials: ServiceCredentials) throws(ServiceFailure) {
        var writer = JSONWriter()
        writer.object { writer in
            writer.member("service_id", credentials.id)
            writer.member("secret", credentials.secret)
        }
        do throws(Errno) {
            try Files.writeAtomically(path, writer.bytes, mode: 0o600)
        } catch {
            throw ServiceFailure("\(path) cannot be written: \(error)")
        }
    }
}
