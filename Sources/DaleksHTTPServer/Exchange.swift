import CMicroHTTPD
import DaleksCore
import DaleksHTTP
import DaleksSystem

/// One request and its answer, from the request line to the last byte.
///
/// libmicrohttpd calls `handle` again and again: once when the header is there, for every piece of the body, and at the
/// end until an answer is queued. Where there is nothing to do yet, the connection is suspended, and resumed by whoever
/// has news.
///
/// ## Concurrency
/// The variables below `Stage` belong to the connection's event thread. `state` guards what workers and the watching
/// thread touch as well. `suspend` and `resume` call libmicrohttpd with `state` held, so that no resume is lost and
/// none reaches a connection that is gone; libmicrohttpd's own lock is taken after ours, and it calls nobody with it
/// held.
final class Exchange: Sendable {
    struct Job: Sendable {
        let route: Route
        let parameters: PathParameters
        let request: HTTPRequest
    }

    enum Stage {
        case new
        /// An event handler without a body runs when the request is complete, which it is.
        case running(Job)
        /// The same with a body that comes first.
        case collecting(Job, [UInt8])
        /// A worker gets it when the request is complete.
        case submitting(Job)
        /// The client waits for `100 Continue`, a worker has the request.
        case demanded
        /// A worker has the request and reads the body.
        case receiving(BodyPipe)
        /// The answer is known, the body is poured away.
        case discarding
        case waiting
        case replying
    }

    /// A suspended connection. Unchecked: any thread may resume it, and it exists until somebody does.
    private struct Suspended: @unchecked Sendable {
        let connection: OpaquePointer
    }

    private struct State {
        var response: HTTPResponse?
        /// The connection, while it is suspended.
        var suspended: Suspended?
        /// Somebody had news while the connection was not suspended: it must look again before it is.
        var hasNews = false
        /// Nothing more will happen here; the connection is to be closed.
        var isAbandoned = false
        var isFinished = false
        weak var parked: Parked?
        var isParked = false
        var pipe: BodyPipe?
        var output: OutputPipe?
        var isFeed = false
    }

    let core: ServerCore
    let record: ConnectionRecord
    private let target: RawTarget?
    private let startedAt: Instant?
    private let state = Lock(State())

    // These belong to the connection's event thread.
    nonisolated(unsafe) private var stage = Stage.new
    // Belongs to the event thread as well.
    nonisolated(unsafe) private(set) var requestID = RequestID.given("")
    // Belongs to the event thread as well.
    nonisolated(unsafe) private var (method, route): (HTTPMethod?, Route?) = (nil, nil)
    // Belongs to the event thread as well. Of the answer's body, and of the request's.
    nonisolated(unsafe) private var (sentBytes, receivedBytes): (Int64, Int64) = (0, 0)
    // Belongs to the event thread as well. What an authenticator notes is read at the end.
    nonisolated(unsafe) private var head: HTTPRequest.Head?
    // Belongs to the event thread as well. What may still be poured away.
    nonisolated(unsafe) private var unwantedLeft = Limits.HTTPServer.unwantedBodyBytesMax

    init(_ core: ServerCore, _ record: ConnectionRecord, target: RawTarget?) {
        self.core = core
        self.record = record
        self.target = target
        startedAt = core.measuresRequests ? core.time.now : nil
    }

    // MARK: On the event thread

    func handle(
        _ connection: OpaquePointer,
        _ method: UnsafePointer<CChar>,
        _ version: UnsafePointer<CChar>,
        _ upload: UnsafePointer<CChar>?,
        _ uploadCount: UnsafeMutablePointer<Int>
    ) -> MHD_Result {
        if core.isStopping || state.withLock({ $0.isAbandoned }) { return .NO }
        if case .new = stage { return begin(connection, method, version) }
        guard let upload, uploadCount.pointee > 0 else { return advance(connection) }
        let bytes = UnsafeRawBufferPointer(start: upload, count: uploadCount.pointee)
        guard let taken = receive(bytes, connection) else { return .NO }
        receivedBytes += Int64(taken)
        uploadCount.pointee -= taken
        return .YES
    }

    private func begin(
        _ connection: OpaquePointer,
        _ method: UnsafePointer<CChar>,
        _ version: UnsafePointer<CChar>
    ) -> MHD_Result {
        record.setDeadline(ConnectionRecord.never)
        let reader: RequestReader
        do throws(APIError) {
            guard let target, target.ends(before: version) else {
                throw .malformed("the request target is not UTF-8 or holds a NUL")
            }
            reader = try RequestReader(
                connection,
                method: method,
                version: version,
                rawTarget: target.text,
                record: record,
                configuration: core.configuration
            )
        } catch {
            requestID = .next()
            // What follows such a header cannot be trusted to be where it seems; answering now ends the connection.
            return reply(.problem(error, requestID: requestID.text), connection)
        }
        requestID = reader.head.requestID
        self.method = reader.head.method
        if core.measuresRequests { head = reader.head }
        switch core.router.resolve(reader.head.method, reader.head.target) {
        case .failure(let error): return refuse(.problem(error, requestID: requestID.text), reader, connection)
        case .options(let allow): return refuse(Router.optionsResponse(allow), reader, connection)
        case .route(let route, let parameters):
            self.route = route
            return begin(route, parameters, reader, connection)
        }
    }

    private func begin(
        _ route: Route,
        _ parameters: PathParameters,
        _ reader: RequestReader,
        _ connection: OpaquePointer
    ) -> MHD_Result {
        let limit = bodyLimit(of: route)
        if let error = bodyError(route, reader, limit) {
            return refuse(.problem(error, requestID: requestID.text), reader, connection)
        }
        if reader.framing == .none {
            let request = HTTPRequest(head: reader.head, body: .empty)
            let job = Job(route: route, parameters: parameters, request: request)
            stage = route.thread == .event ? .running(job) : .submitting(job)
            return .YES
        }
        armUploadDeadline()
        if route.thread == .event || reader.bringsLittle(limit) {
            let request = HTTPRequest(head: reader.head, body: .empty)
            stage = .collecting(Job(route: route, parameters: parameters, request: request), [])
            return .YES
        }
        return beginUpload(route, parameters, reader, limit, connection)
    }

    private func bodyLimit(of route: Route) -> Int64 {
        let limit = route.body.bytesMax ?? core.configuration.grants.bodyBytesMax
        return route.thread == .event ? min(limit, Limits.HTTPServer.eventBodyBytesMax) : limit
    }

    private func bodyError(_ route: Route, _ reader: RequestReader, _ limit: Int64) -> APIError? {
        if route.body.requiresLength, !reader.head.fields.contains("Content-Length") {
            return APIError(.lengthRequired, "the Content-Length is missing")
        }
        if case .length(let length) = reader.framing, length > limit {
            return .tooLarge("the body is longer than the \(limit) bytes that are allowed here")
        }
        return nil
    }

    private func beginUpload(
        _ route: Route,
        _ parameters: PathParameters,
        _ reader: RequestReader,
        _ limit: Int64,
        _ connection: OpaquePointer
    ) -> MHD_Result {
        let pipe = BodyPipe(
            capacity: Limits.HTTPServer.uploadBufferBytes,
            startsPaused: reader.expectsContinue
        ) { [weak self] in self?.resume() }
        var length: Int64?
        if case .length(let known) = reader.framing { length = known }
        var body = HTTPBody(pipe, contentLength: length)
        body.limit = limit
        state.withLock { $0.pipe = pipe }
        let job = Job(route: route, parameters: parameters, request: HTTPRequest(head: reader.head, body: body))
        guard core.submitStream({ [self] in run(job) }) else {
            return refuse(overloaded, reader, connection)
        }
        guard reader.expectsContinue else {
            stage = .receiving(pipe)
            return .YES
        }
        record.setDeadline(ConnectionRecord.never)
        stage = .demanded
        return suspend(connection) ? .YES : advance(connection)
    }

    /// Answers a request that no handler gets to see. Its body, where it is small, is poured away first: a client that
    /// is still sending might otherwise never read the answer.
    private func refuse(_ response: HTTPResponse, _ reader: RequestReader, _ connection: OpaquePointer) -> MHD_Result {
        switch reader.framing {
        case .length(let length) where length > unwantedLeft: return reply(response, connection)
        case .length, .chunked:
            if reader.expectsContinue { return reply(response, connection) }
            armUploadDeadline()
            stage = .discarding
        case .none: stage = .waiting
        }
        state.withLock { $0.response = response }
        return .YES
    }

    /// How many bytes were taken; nil where the connection is to be closed.
    private func receive(_ bytes: UnsafeRawBufferPointer, _ connection: OpaquePointer) -> Int? {
        creditUpload(bytes.count)
        switch stage {
        case .receiving(let pipe):
            if pipe.isDiscarding { return discard(bytes.count) }
            return fill(pipe, bytes, connection)
        case .collecting(let job, var collected):
            stage = .discarding
            collected.append(contentsOf: bytes)
            if collected.count > bodyLimit(of: job.route) {
                let error = APIError.tooLarge("the body is longer than is allowed here")
                state.withLock { $0.response = .problem(error, requestID: requestID.text) }
            } else {
                stage = .collecting(job, collected)
            }
            return bytes.count
        case .new, .running, .submitting, .demanded, .discarding, .waiting, .replying:
            return discard(bytes.count)
        }
    }

    private func discard(_ count: Int) -> Int? {
        unwantedLeft -= Int64(count)
        return unwantedLeft >= 0 ? count : nil
    }

    private func fill(_ pipe: BodyPipe, _ bytes: UnsafeRawBufferPointer, _ connection: OpaquePointer) -> Int {
        var taken = 0
        while true {
            taken += pipe.write(UnsafeRawBufferPointer(rebasing: bytes[taken...]))
            if taken == bytes.count { return taken }
            // The client is not slow, we are.
            record.setDeadline(ConnectionRecord.never)
            // Not suspended: the handler took everything meanwhile, so there is room again.
            if suspend(connection) { return taken }
        }
    }

    /// The request is complete, or the connection was resumed: goes as far as it can.
    private func advance(_ connection: OpaquePointer) -> MHD_Result {
        switch stage {
        case .running(let job):
            stage = .waiting
            run(job)
        case .collecting(var job, let collected):
            stage = .waiting
            job = Job(route: job.route, parameters: job.parameters, request: job.request.with(HTTPBody(collected)))
            if job.route.thread == .event { run(job) } else if !submit(job) { complete(overloaded) }
        case .submitting(let job):
            stage = .waiting
            let atHand = core.router.glance(job.route, job.parameters, job.request)
            if let atHand { complete(atHand) } else if !submit(job) { complete(overloaded) }
        case .demanded:
            if let response = state.withLock({ $0.response }) { return reply(response, connection) }
            guard let pipe = state.withLock({ $0.pipe }) else { return .NO }
            stage = .receiving(pipe)
            armUploadDeadline()
            return .YES
        case .receiving(let pipe):
            stage = .waiting
            pipe.end()
        case .discarding:
            stage = .waiting
        case .new, .waiting, .replying:
            break
        }
        record.setDeadline(ConnectionRecord.never)
        while true {
            if let response = state.withLock({ $0.response }) { return reply(response, connection) }
            if suspend(connection) { return .YES }
        }
    }

    private func reply(_ response: HTTPResponse, _ connection: OpaquePointer) -> MHD_Result {
        stage = .replying
        record.setDeadline(ConnectionRecord.never)
        var response = response
        if response.status.forbidsContent { response.body = .empty }
        var raw = ResponseSender.make(response, for: self, connection)
        if raw == nil {
            response = .problem(.unavailable("the server is out of resources"), requestID: requestID.text)
            raw = ResponseSender.make(response, for: self, connection)
        }
        guard let raw else { return .NO }
        sentBytes = method == .head ? 0 : response.body.sizeAtHand
        defer { MHD_destroy_response(raw) }
        return MHD_queue_response(connection, UInt32(response.status.code), raw)
    }

    /// More of a body that comes in pieces was handed over.
    func count(_ bytes: Int) { sentBytes += Int64(bytes) }

    /// The last byte was sent (`isComplete`), or the connection is lost. The status is that of whatever was answered.
    func finished(isComplete: Bool, status: Int) {
        let (parked, pipe, output) = state.withLock { state in
            state.isFinished = true
            state.response = nil
            let result = (state.parked, state.pipe, state.output)
            state.pipe = nil
            state.output = nil
            return result
        }
        record.end()
        record.arm(now: core.now, core.keepAliveNanoseconds)
        parked?.clientWentAway()
        pipe?.fail(.malformed("the client went away in the middle of the body"))
        output?.close()
        core.exchangeEnded()
        if let startedAt { report(since: startedAt, isComplete: isComplete, status: status) }
    }

    private func report(since startedAt: Instant, isComplete: Bool, status: Int) {
        core.configuration.observe?(
            ServedRequest(
                requestID: requestID.text,
                method: method?.rawValue ?? "-",
                pattern: route?.pattern.text ?? "-",
                status: status,
                bytes: sentBytes,
                receivedBytes: receivedBytes,
                isComplete: isComplete,
                duration: core.time.now - startedAt,
                client: head?.client ?? record.client,
                principal: head?.principal?.withLock { $0 }
            )
        )
    }

    // MARK: Deadlines of the body

    private func armUploadDeadline() {
        record.arm(now: core.now, core.configuration.grants.uploadGrace.nanoseconds)
    }

    /// Bytes buy time: who keeps to the minimum rate never meets the deadline, who sends faster saves up no more than
    /// the grace.
    private func creditUpload(_ count: Int) {
        let grants = core.configuration.grants
        let current = record.currentDeadline
        let now = core.now
        guard current != ConnectionRecord.never else { return armUploadDeadline() }
        let bought = Int64(count) * 1_000_000_000 / max(1, grants.uploadRateMin)
        record.arm(now: now, min(grants.uploadGrace.nanoseconds, current - now + bought))
    }

    // MARK: On any thread

    private var overloaded: HTTPResponse {
        .problem(.unavailable("the server has as much to do as it can"), requestID: requestID.text)
    }

    private func submit(_ job: Job) -> Bool { core.submit { [self] in run(job) } }

    private func run(_ job: Job) {
        let response = core.router.run(job.route, job.parameters, job.request)
        if case .parked(let start) = response.body {
            park(start, requestID: job.request.requestID)
        } else {
            complete(response)
        }
    }

    private func park(_ start: (Parked) -> Void, requestID: String) {
        let parked = Parked(requestID: requestID) { [self] response in complete(response) }
        let isFinished = state.withLock { state in
            state.parked = parked
            state.isParked = true
            return state.isFinished || state.isAbandoned
        }
        if isFinished {
            parked.clientWentAway()
        } else {
            record.setLookAt(core.now + core.configuration.grants.parkedTimeout.nanoseconds)
        }
        start(parked)
        if record.isPeerClosed { clientWentAway() }
    }

    private func complete(_ response: HTTPResponse) {
        let (isFirst, pipe) = state.withLock { state -> (Bool, BodyPipe?) in
            guard state.response == nil, !state.isFinished else { return (false, nil) }
            state.response = response
            return (true, state.pipe)
        }
        guard isFirst else { return }
        pipe?.discard()
        resume()
    }

    /// True where the connection is suspended now (or will be closed at the next look); false where there was news and
    /// the caller must look again.
    func suspend(_ connection: OpaquePointer) -> Bool {
        let suspended = Suspended(connection: connection)
        return state.withLock { state in
            if state.isAbandoned || core.isStopping { return true }
            if state.hasNews {
                state.hasNews = false
                return false
            }
            state.suspended = suspended
            MHD_suspend_connection(suspended.connection)
            core.suspendedCountChanged(by: 1)
            return true
        }
    }

    private func resume() {
        state.withLock { state in
            guard let suspended = state.suspended else {
                state.hasNews = true
                return
            }
            state.suspended = nil
            MHD_resume_connection(suspended.connection)
            core.suspendedCountChanged(by: -1)
        }
    }

    /// Nobody waits for the answer any more: closes the connection as soon as its event thread looks.
    func abandon() {
        let (parked, pipe, output) = state.withLock { state in
            state.isAbandoned = true
            return (state.parked, state.pipe, state.output)
        }
        parked?.clientWentAway()
        pipe?.fail(.malformed("the connection was closed in the middle of the body"))
        output?.fail()
        resume()
    }

    /// The client closed its sending side: who parked or listens to a feed is gone then.
    func clientWentAway() {
        if state.withLock({ ($0.isParked && $0.response == nil) || $0.isFeed }) { abandon() }
    }

    /// The moment came that the record was asked to look at.
    func look(now: Int64) {
        let (parked, feed) = state.withLock { ($0.isParked ? $0.parked : nil, $0.isFeed ? $0.output : nil) }
        record.setLookAt(ConnectionRecord.never)
        if let feed {
            _ = feed.appendIfFits(": \n\n".utf8)
            watchFeed(now: now)
        } else {
            parked?.fail(.unavailable("nothing happened for long"))
        }
    }

    /// Ends what would otherwise wait for ever.
    func shed() {
        let (parked, feed) = state.withLock { ($0.isParked ? $0.parked : nil, $0.isFeed ? $0.output : nil) }
        feed?.end()
        parked?.fail(.unavailable("the server is going away"))
    }

    // MARK: Answers that come in pieces

    func output(isFeed: Bool = false) -> OutputPipe {
        let capacity = isFeed ? Limits.HTTPServer.eventBacklogBytesMax : Limits.HTTPServer.downloadBufferBytes
        let output = OutputPipe(capacity: capacity) { [weak self] in self?.resume() }
        state.withLock { state in
            state.output = output
            state.isFeed = isFeed
        }
        return output
    }

    func watchFeed(now: Int64) {
        let heartbeat = Duration.seconds(Limits.HTTPServer.eventHeartbeatSeconds).nanoseconds
        record.setLookAt(now + heartbeat)
    }
}
