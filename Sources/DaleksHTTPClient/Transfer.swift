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
        /// It carries much, and the line is limited: it stands in no queue yet.
        case held
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
    let pacer: Pacer
    var phase = Phase.waiting
    /// Changes with redirects.
    var url: String
    var redirectCount = 0
    var redirectURL: String?
    var attempts = 0
    var staleConnectionCount = 0
    /// When the driver looks at this exchange next.
    var armedAt: Instant?

    /// Moves when the line's limits held it up: that is our doing.
    private var deadlineThen: Instant
    /// Since when they do.
    var heldSince: Instant?
    /// It has one of the few places of those that carry much.
    var hasPlace = false

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
    var line = LinePosition()

    init(job: Job, runner: CallbackRunner, pacer: Pacer, now: Instant) {
        self.pacer = pacer
        deadlineThen = job.deadline
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
    var isPausedByUs: Bool { source.isPaused || sink.isPaused || heldSince != nil }

    func deadline(at now: Instant) -> Instant { deadlineThen + (heldSince.map { max(.zero, now - $0) } ?? .zero) }

    /// The direction in which it carries much.
    var loadDirection: Pacer.Direction? {
        switch job.request.load {
        case .light: nil
        case .upload: .up
        case .download: .down
        }
    }

    /// libcurl is told to wait, from within its callback.
    func hold(_ direction: Pacer.Direction) {
        switch direction {
        case .up: line.isSendingHeld = true
        case .down: line.isReceivingHeld = true
        }
        if heldSince == nil { heldSince = TimeSource.system.now }
        pacer.hold(job.id, direction)
    }

    /// The line has room again.
    func release(_ direction: Pacer.Direction, at now: Instant) {
        switch direction {
        case .up: line.isSendingHeld = false
        case .down: line.isReceivingHeld = false
        }
        if !line.isSendingHeld, !line.isReceivingHeld { endHold(at: now) }
        // libcurl gives what it held back before this returns, and may be told to pause again.
        applyPauses()
    }

    func endHold(at now: Instant) {
        guard let since = heldSince else { return }
        deadlineThen = deadlineThen + max(.zero, now - since)
        heldSince = nil
    }

    func applyPauses() {
        easy?.setPaused(
            receiving: sink.isPaused || line.isReceivingHeld,
            sending: source.isPaused || line.isSendingHeld
        )
    }

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
        line = LinePosition()
        movedBytes = 0
        lastProgress = now
    }

    /// What the caller gets for a complete answer.
    func response() -> ClientResponse {
        ClientResponse(status: head.status, fields: head.fields, body: body, attempts: attempts)
    }
}

/// How far the bodies of one attempt are, and whether the line's limits hold them.
struct LinePosition {
    var sentBytes = 0
    var receivedBytes = 0
    var isSendingHeld = false
    var isReceivingHeld = false

    var isBeginningToSend: Bool { sentBytes < Limits.HTTPClient.limitedBeginningBytes }
    var isBeginningToReceive: Bool { receivedBytes < Limits.HTTPClient.limitedBeginningBytes }
}
