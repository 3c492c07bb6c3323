import DaleksCore
import DaleksCrypto
import DaleksHTTP
import DaleksHTTPClient
import DaleksSystem

/// Objects of one bucket by path-style requests, each tried again while that may help.
///
/// ## Concurrency
/// Any thread; every call blocks until the answer is there or the time is over.
final class S3Client: Sendable {
    enum Failure: Error, Equatable, Sendable {
        /// No such object, or no such bytes in it.
        case missing
        /// The condition of a write does not hold: something has this key.
        case exists
        /// The bucket, the credentials or the request is refused; trying again does not help, an operator does.
        case refused(code: String)
        /// No answer, or none that can be used, for as long as we tried.
        case unavailable(detail: String)
    }

    struct Object: Hashable, Sendable {
        let key: String
        let bytes: Int64
        let modified: Timestamp
    }

    let address: S3Address
    private let credentials: S3CredentialKeeper
    private let client: HTTPClient
    private let patience: Duration
    private let time: TimeSource
    private let logger: Logger

    /// `patience` bounds each call, all its attempts together.
    init(
        _ address: S3Address,
        credentials: S3Credentials.Source,
        caFile: String? = nil,
        patience: Duration = Limits.S3.patience,
        time: TimeSource = .system,
        logger: Logger
    ) {
        self.address = address
        self.credentials = S3CredentialKeeper(credentials)
        var configuration = HTTPClientConfiguration(userAgent: "daleks-files", caFile: caFile)
        configuration.connectionsPerHostMax = Limits.S3.connectionCountMax
        client = HTTPClient(configuration: configuration, logger: logger)
        self.patience = patience
        self.time = time
        self.logger = logger
    }

    func shutdown() { client.shutdown() }

    /// Writes an object that must not exist. Services that know no conditional writes ignore the condition; keys are
    /// drawn so that it is not needed there.
    func put(_ key: String, _ body: [UInt8]) throws(Failure) {
        let answer = try send(.put, key, fields: [("If-None-Match", "*")], body: body)
        switch answer.response.status.code {
        case 200, 201, 204: return
        case 409, 412:
            // Our own first attempt may have been the one that took the key; its answer got lost.
            guard answer.attempts > 1, try size(key) == Int64(body.count) else { throw .exists }
        case 501:
            let again = try send(.put, key, body: body)
            guard again.response.status.isSuccess else { throw failure(again) }
        default: throw failure(answer)
        }
    }

    /// So many bytes of an object; fewer where it ends before.
    func get(_ key: String, _ range: Range<Int64>) throws(Failure) -> [UInt8] {
        let answer = try stretch(range, of: key)
        let body = answer.response.body
        // rclone answers 200 to a range that it does serve; the field says what the body is.
        let isPart = answer.response.fields["Content-Range"]?.hasPrefix("bytes \(range.lowerBound)-") == true
        switch answer.response.status.code {
        case 206 where isPart, 200 where isPart:
            guard body.count <= range.count else { throw .unavailable(detail: "more bytes came than were asked for") }
            return body
        // A service that knows no ranges sends everything.
        case 200:
            guard range.lowerBound < body.count else { throw .missing }
            return Array(body[Int(range.lowerBound)..<min(body.count, Int(range.upperBound))])
        case 416: throw .missing
        default: throw failure(answer)
        }
    }

    /// Some services break off, or never end, an answer where they lack the bytes: what an object's size proves is not
    /// an outage, and is asked before the second attempt.
    private func stretch(_ range: Range<Int64>, of key: String) throws(Failure) -> Answer {
        let fields = [("Range", "bytes=\(range.lowerBound)-\(range.upperBound - 1)")]
        let bytesMax = Limits.S3.objectBytesMax * 2
        do throws(Failure) {
            return try send(.get, key, fields: fields, answerBytesMax: bytesMax, attemptCountMax: 1)
        } catch {
            guard case .unavailable = error else { throw error }
            guard let size = try size(key), size >= range.upperBound else { throw .missing }
            return try send(.get, key, fields: fields, answerBytesMax: bytesMax)
        }
    }

    /// Nil where there is none.
    func size(_ key: String) throws(Failure) -> Int64? {
        let answer = try send(.head, key)
        if answer.response.status.code == 404 { return nil }
        guard answer.response.status.isSuccess else { throw failure(answer) }
        guard let size = answer.response.fields["Content-Length"].flatMap({ Int64($0) }) else {
            throw .unavailable(detail: "an object has no size")
        }
        return size
    }

    func delete(_ key: String) throws(Failure) {
        let answer = try send(.delete, key)
        guard answer.response.status.isSuccess || answer.response.status.code == 404 else { throw failure(answer) }
    }

    /// Every object whose key begins so, a page at a time: 1,000 of them, or fewer where the service is asked to.
    func list(prefix: String, pageCountMax: Int? = nil, _ body: ([Object]) -> Void) throws(Failure) {
        var next: String?
        repeat {
            var query = [("list-type", "2"), ("prefix", prefix)]
            if let pageCountMax { query.append(("max-keys", "\(pageCountMax)")) }
            if let next { query.append(("continuation-token", next)) }
            let answer = try send(.get, nil, query: query, answerBytesMax: Limits.S3.listBytesMax)
            guard answer.response.status.isSuccess else { throw failure(answer) }
            guard let page = S3Listing(answer.response.body) else {
                throw .unavailable(detail: "a listing cannot be read")
            }
            body(page.objects)
            next = page.next
        } while next != nil
    }

    // MARK: Requests

    private struct Answer {
        let response: ClientResponse
        let attempts: Int
    }

    private func send(
        _ method: HTTPMethod,
        _ key: String?,
        query: [(name: String, value: String)] = [],
        fields: [(name: String, value: String)] = [],
        body: [UInt8] = [],
        answerBytesMax: Int = 64 << 10,
        attemptCountMax: Int = Limits.S3.attemptCountMax
    ) throws(Failure) -> Answer {
        let digest = SHA256.digest(of: body)
        let path = S3Signature.canonicalPath("/\(address.bucket)" + (key.map { "/\($0)" } ?? ""))
        let end = time.now + patience
        var attempts = 0
        while true {
            attempts += 1
            // Signed anew each time: a signature holds some minutes, and credentials may have been renewed.
            guard let credentials = credentials.credentials() else { throw .refused(code: "no credentials") }
            let signature = S3Signature(credentials: credentials, region: address.region)
            let signed = signature.fields(
                method,
                host: address.host,
                path: path,
                query: query,
                fields: fields,
                bodyDigest: digest,
                at: time.wall
            )
            let text = query.isEmpty ? "" : "?\(S3Signature.canonicalQuery(query))"
            var request = ClientRequest(
                method,
                "\(address.endpoint)\(path)\(text)",
                body: body.isEmpty ? .empty : .bytes(body),
                sink: .memory(max: answerBytesMax),
                deadline: min(max(end - time.now, .milliseconds(1)), Limits.S3.attemptDeadline),
                idleTimeout: Limits.S3.idleTimeout,
                isIdempotent: true
            )
            for field in signed { request.fields.append(field.name, field.value) }
            let outcome = attempt(request)
            if case .answer(let response) = outcome { return Answer(response: response, attempts: attempts) }
            let delay = Self.delay(attempts)
            let reason = if case .retry(let reason) = outcome { reason } else { "" }
            guard attempts < attemptCountMax, time.now + delay < end else {
                logger.info("storage did not answer", ["reason": reason, "attempts": attempts])
                throw .unavailable(detail: reason)
            }
            _ = Condition(()).wait(timeout: delay) { _ in Bool?.none }
        }
    }

    private enum Outcome {
        case answer(ClientResponse)
        case retry(String)
    }

    private func attempt(_ request: ClientRequest) -> Outcome {
        do throws(HTTPClientError) {
            let response = try client.send(request)
            switch response.status.code {
            case 408, 429, 500, 502, 503, 504: return .retry("status \(response.status.code)")
            // The clock, or credentials that are being renewed: the next attempt may be in time.
            case 400,
                403 where Self.isPassing(S3Listing.text("Code", in: response.body)):
                return .retry(S3Listing.text("Code", in: response.body) ?? "")
            default: return .answer(response)
            }
        } catch {
            return .retry("\(error)")
        }
    }

    private static func isPassing(_ code: String?) -> Bool {
        guard let code else { return false }
        return ["RequestTimeout", "ExpiredToken", "IncompleteBody", "BadDigest", "XAmzContentSHA256Mismatch"]
            .contains(code)
    }

    /// Between half of a bound that doubles and all of it. Were it anything down to nothing, all attempts together
    /// could be over before the shortest outage is.
    private static func delay(_ attempts: Int) -> Duration {
        let bound = min(
            Limits.S3.retryDelayFirst.nanoseconds << Int64(attempts - 1),
            Limits.S3.retryDelayMax.nanoseconds
        )
        return .nanoseconds(bound / 2 + Int64(Random.word() % UInt64(bound / 2)))
    }

    private func failure(_ answer: Answer) -> Failure {
        let status = answer.response.status.code
        let code = S3Listing.text("Code", in: answer.response.body)
        // A bucket that is gone is no proof that an object is.
        if status == 404, code == nil || code == "NoSuchKey" || code == "NotFound" { return .missing }
        return .refused(code: code ?? "status \(status)")
    }
}
