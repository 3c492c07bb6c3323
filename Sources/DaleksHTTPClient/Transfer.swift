import DaleksCore
import DaleksHTTP
import DaleksSystem

/// One exchange on its way, from its turn in the queue to its last attempt.
///
/// ## Concurrency
/// It belongs to the driver's thread, and libcurl calls back on that thread only. The request's closures run elsewhere
/// and answer through the inbox.
final class Transfer {
    enum Phase {
        case waiting
        case active(EasyHandle)
        /// The attempt is over; its closures have yet to return, or its sink to hear the rest.
        case concluding(Conclusion)
        case backingOff(until: Instant)
        case complete
    }

    /// How an attempt ended.
    enum Conclusion {
        case answered
        case failed(HTTPClientError, isTransient: Bool)
        /// A pooled connection was dead and the body was partly sent into it.
        case staleConnection
    }

    let job: Job
    let runner: CallbackRunner
    var phase = Phase.waiting
    /// Changes with redirects.
    var url: String
    var redirectCount = 0
    var redirectURL: String?
    var attempts = 0
    var staleConnectionCount = 0
    /// When the driver looks at this exchange next.
    var armedAt: Instant?

    // Progress, for the idle timeout.
    var movedBytes: Int64 = 0
    var lastProgress: Instant

    // This attempt.
    var head = ResponseHead()
    var body: [UInt8] = []
    /// A refusal was longer than anybody wants to read.
    var isBodyCut = false
    /// Why a callback stopped libcurl.
    var ownFailure: HTTPClientError?
    var source = BodySource()
    var sink = BodySink()

    init(job: Job, runner: CallbackRunner, now: Instant) {
        self.job = job
        self.runner = runner
        url = job.request.url
        lastProgress = now
    }

    var easy: EasyHandle? {
        if case .active(let easy) = phase { easy } else { nil }
    }

    /// A closure of the request runs or is about to.
    var hasClosureRunning: Bool { source.isFilling || sink.isRunning }

    /// We hold the peer up, so its silence means nothing.
    var isPausedByUs: Bool { source.isPaused || sink.isPaused }

    /// Another attempt would neither do things twice nor repeat bytes to the sink.
    var canRepeat: Bool {
        job.request.isIdempotent && (job.request.isReplayable || !source.wasAsked) && !sink.wasUsed
    }

    /// Only between attempts, when no closure runs.
    func beginAttempt(at now: Instant) {
        precondition(!hasClosureRunning, "an attempt began before the last one ended")
        attempts += 1
        head = ResponseHead()
        body = []
        isBodyCut = false
        ownFailure = nil
        redirectURL = nil
        source = BodySource()
        movedBytes = 0
        lastProgress = now
    }

    /// What the caller gets for a complete answer.
    func response() -> ClientResponse {
        ClientResponse(status: head.status, fields: head.fields, body: body, attempts: attempts)
    }
}
