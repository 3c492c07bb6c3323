import CCurl
import DaleksCore
import DaleksHTTP
import DaleksSystem
import Glibc

/// The client's thread: it alone touches libcurl.
///
/// Each round takes the inbox, lets libcurl work, ends what ended, looks at what is due, starts whose turn it is, and
/// sleeps until something calls.
final class Driver {
    private let configuration: HTTPClientConfiguration
    private let multi: MultiHandle
    private let inbox: Inbox
    private let runner: CallbackRunner
    private let logger: Logger
    private let time: TimeSource
    private let plan: RetryPlan
    private let pacer: Pacer

    private var transfers: [UInt64: Transfer] = [:]
    private var queue: ExchangeQueue
    private var timers = TimerHeap()
    private var handles: [EasyHandle] = []
    private var messages: [Inbox.Message] = []
    private var now: Instant
    private var isStopping = false

    init(configuration: HTTPClientConfiguration, multi: MultiHandle, runner: CallbackRunner, logger: Logger) {
        self.configuration = configuration
        self.multi = multi
        self.inbox = runner.inbox
        self.runner = runner
        self.logger = logger
        time = .system
        pacer = Pacer(configuration.line)
        now = TimeSource.system.now
        queue = ExchangeQueue(
            activeMax: configuration.exchangesActiveMax,
            activePerHostMax: configuration.connectionsPerHostMax
        )
        plan = RetryPlan(
            delayBase: configuration.retryDelayBase,
            delayMax: configuration.retryDelayMax,
            retryAfterMax: configuration.retryAfterMax
        )
    }

    /// Returns after `stop`, when every exchange has been completed.
    func run() {
        Self.blockSignals()
        while !(isStopping && transfers.isEmpty) {
            now = time.now
            takeMessages()
            releaseHeld()
            startWaiting()
            multi.perform()
            endFinished()
            lookAtDue()
            startWaiting()
            // The call that brought `stop` has been used up: nobody would end this sleep.
            if !(isStopping && transfers.isEmpty) { multi.poll(milliseconds: pollMilliseconds()) }
        }
        inbox.close()
        handles = []
        multi.close()
        runner.pool.close()
    }

    /// Signals are for threads that expect them; a SIGPIPE from a TLS library stays pending here for ever.
    private static func blockSignals() {
        var signals = sigset_t()
        sigfillset(&signals)
        pthread_sigmask(SIG_BLOCK, &signals, nil)
    }

    private func pollMilliseconds() -> Int32 {
        // Rounded up, so that what is due is due when we wake.
        let due = timers.nearest.map { max(0, ($0 - now).nanoseconds / 1_000_000 + 1) } ?? 60_000
        let paced = pacer.pause(isBeginning: isBeginning).map { $0.nanoseconds / 1_000_000 + 1 } ?? 60_000
        return Int32(min(60_000, due, paced))
    }

    // MARK: The line's limits

    private func releaseHeld() {
        for direction in Pacer.Direction.allCases {
            while let id = pacer.next(direction) {
                guard let transfer = transfers[id] else { preconditionFailure("an ended exchange stood in line") }
                transfer.endHold(at: now)
                transfer.hasPlace = true
                enqueueAgain(transfer)
                arm(transfer, at: transfer.deadline(at: now))
            }
        }
        releaseBodies(.down, countMax: .max)
        // libcurl asks for bytes later, in an order of its own: one at a time keeps ours.
        releaseBodies(.up, countMax: 1)
    }

    private func releaseBodies(_ direction: Pacer.Direction, countMax: Int) {
        guard let limit = pacer.limit(direction) else { return }
        for id in pacer.held(direction, isBeginning: isBeginning).prefix(countMax) {
            guard limit.allowance(isBeginning: isBeginning(id)) > 0 else { return }
            pacer.release(id, direction)
            transfers[id]?.release(direction, at: now)
        }
    }

    private func isBeginning(_ id: UInt64) -> Bool {
        guard let line = transfers[id]?.line else { return false }
        return line.isSendingHeld && line.isBeginningToSend || line.isReceivingHeld && line.isBeginningToReceive
    }

    private func leaveLine(_ transfer: Transfer) {
        pacer.forget(transfer.job.id)
        transfer.endHold(at: now)
        guard let direction = transfer.loadDirection else { return }
        if case .held = transfer.phase { pacer.withdraw(transfer.job.id, direction) }
    }

    // MARK: The inbox

    private func takeMessages() {
        inbox.drain(into: &messages)
        for message in messages {
            switch message {
            case .begin(let job): begin(job)
            case .cancel(let id): transfers[id].map { fail($0, .canceled) }
            case .sourceFilled(let id, let result): sourceFilled(id, result)
            case .sinkDone(let id, let verdict, let buffer): sinkDone(id, verdict, buffer)
            case .stop: stop()
            }
        }
    }

    private func begin(_ job: Job) {
        let transfer = Transfer(job: job, runner: runner, pacer: pacer, now: now)
        transfers[job.id] = transfer
        if let direction = transfer.loadDirection {
            guard pacer.mayBegin(job.id, direction) else {
                transfer.phase = .held
                transfer.heldSince = now
                return
            }
            transfer.hasPlace = true
        }
        queue.enqueue(job.id, to: job.origin)
        arm(transfer, at: job.deadline)
    }

    private func stop() {
        isStopping = true
        for transfer in Array(transfers.values) { fail(transfer, .canceled) }
    }

    private func sourceFilled(_ id: UInt64, _ result: Result<[UInt8], Errno>) {
        guard let transfer = transfers[id] else { return }
        if let failure = transfer.sourceFilled(result), transfer.easy != nil { fail(transfer, failure) }
        settleWhereQuiet(transfer)
    }

    private func sinkDone(_ id: UInt64, _ verdict: Inbox.SinkVerdict, _ buffer: [UInt8]) {
        guard let transfer = transfers[id] else { return }
        if let failure = transfer.sinkDone(verdict, buffer) {
            // A failure that was there first stays.
            if case .concluding(.failed) = transfer.phase {} else { fail(transfer, failure) }
        }
        settleWhereQuiet(transfer)
    }

    // MARK: Beginning and ending attempts

    private func startWaiting() {
        while let id = queue.next() {
            guard let transfer = transfers[id] else { preconditionFailure("an ended exchange stood in the queue") }
            transfer.beginAttempt(at: now)
            let easy = handles.popLast() ?? EasyHandle()
            easy.apply(configuration)
            // The driver holds the transfer until its handle is out of libcurl again, so C borrows it.
            let owner = Unmanaged.passUnretained(transfer).toOpaque()
            let isLimited = pacer.limits.up?.bytesPerSecond != nil
            let inlineBytesMax = isLimited ? Limits.HTTPClient.limitedPieceBytes : Limits.HTTPClient.inlineBodyBytesMax
            if isLimited, case .bytes(let bytes) = transfer.job.request.body, bytes.count <= inlineBytesMax {
                // These are asked for by nobody: they count, and do not wait.
                pacer.limits.up?.spend(bytes.count)
            }
            easy.apply(transfer.job.request, url: transfer.url, inlineBytesMax: inlineBytesMax, owner: owner)
            transfer.phase = .active(easy)
            precondition(multi.add(easy), "libcurl refused a transfer")
            arm(transfer, at: nextLook(at: transfer))
        }
    }

    private func endFinished() {
        while let (owner, code) = multi.nextEnded() {
            let transfer = Unmanaged<Transfer>.fromOpaque(owner).takeUnretainedValue()
            guard let easy = transfer.easy else { continue }
            let conclusion = Conclusion.of(code, transfer, easy)
            if case .answered = conclusion { transfer.redirectURL = easy.redirectURL }
            endAttempt(transfer, conclusion, keepsHandle: code == CURLE_OK && easy.leavesNothingBehind)
        }
    }

    private func endAttempt(_ transfer: Transfer, _ conclusion: Transfer.Conclusion, keepsHandle: Bool = false) {
        leaveLine(transfer)
        if let easy = transfer.easy {
            multi.remove(easy)
            queue.finished(at: transfer.job.origin)
            if keepsHandle, handles.count < Limits.HTTPClient.handlesKeptMax {
                easy.reset()
                handles.append(easy)
            }
        }
        transfer.phase = .concluding(conclusion)
        settleWhereQuiet(transfer)
    }

    /// Ends the exchange with an error, whatever it is doing.
    private func fail(_ transfer: Transfer, _ error: HTTPClientError) {
        if case .waiting = transfer.phase { queue.withdraw(transfer.job.id, from: transfer.job.origin) }
        endAttempt(transfer, .failed(error, isTransient: false))
    }

    /// Goes on once the closures of an attempt that ended have returned, and its sink has heard all.
    private func settleWhereQuiet(_ transfer: Transfer) {
        guard case .concluding(let conclusion) = transfer.phase, !transfer.hasClosureRunning else { return }
        if case .answered = conclusion, transfer.mustRunSink {
            transfer.runSink()
            return
        }
        settle(transfer, conclusion)
    }

    private func settle(_ transfer: Transfer, _ conclusion: Transfer.Conclusion) {
        switch conclusion {
        case .answered:
            if let url = redirectTarget(of: transfer) {
                transfer.url = url
                transfer.redirectCount += 1
                transfer.attempts -= 1
                enqueueAgain(transfer)
                return
            }
            let outcome = RetryPlan.outcome(status: transfer.head.status, fields: transfer.head.fields, now: time.wall)
            retry(transfer, outcome, else: .success(transfer.response()))
        case .failed(let error, let isTransient):
            retry(transfer, isTransient ? .broken : .final, else: .failure(error))
        case .staleConnection:
            let error = HTTPClientError.transfer(detail: "the connection closed before an answer came")
            guard transfer.canRepeat, transfer.staleConnectionCount < Limits.HTTPClient.staleConnectionsMax else {
                retry(transfer, .broken, else: .failure(error))
                return
            }
            transfer.staleConnectionCount += 1
            transfer.attempts -= 1
            enqueueAgain(transfer)
        }
    }

    private func retry(_ transfer: Transfer, _ outcome: RetryPlan.Outcome, else result: ExchangeResult) {
        let decision = plan.decide(
            outcome,
            policy: transfer.job.request.retry,
            canRepeat: transfer.canRepeat && !isStopping,
            attempts: transfer.attempts,
            remaining: transfer.deadline(at: now) - now,
            draw: Double.random(in: 0..<1)
        )
        switch decision {
        case .accept:
            transfer.phase = .complete
            transfers[transfer.job.id] = nil
            if transfer.hasPlace, let direction = transfer.loadDirection { pacer.ended(direction) }
            runner.complete(transfer.job, result)
        case .retry(let delay):
            logger.debug(
                "request will be retried",
                ["host": transfer.job.origin.host, "attempt": transfer.attempts, "delay.ms": delay.milliseconds]
            )
            let until = now + delay
            transfer.phase = .backingOff(until: until)
            arm(transfer, at: until)
        }
    }

    private func enqueueAgain(_ transfer: Transfer) {
        transfer.phase = .waiting
        queue.enqueue(transfer.job.id, to: transfer.job.origin)
    }

    /// Where to go on, if the request follows redirects and this one stays within the origin.
    private func redirectTarget(of transfer: Transfer) -> String? {
        guard case .sameOrigin(let max) = transfer.job.request.redirects,
            transfer.redirectCount < min(max, Limits.HTTPClient.redirectsMax),
            transfer.job.request.method == .get || transfer.job.request.method == .head,
            let url = transfer.redirectURL, Origin(url: url) == transfer.job.origin
        else { return nil }
        return url
    }

    // MARK: Time

    private func arm(_ transfer: Transfer, at moment: Instant) {
        // Of what we hold up, the deadline moves along.
        let isHeld = transfer.heldSince != nil
        let deadline = transfer.deadline(at: now)
        let moment = min(moment, isHeld ? max(deadline, now + Limits.HTTPClient.limitLookPeriod) : deadline)
        if let armedAt = transfer.armedAt, armedAt <= moment { return }
        transfer.armedAt = moment
        timers.insert(TimerHeap.Entry(at: moment, id: transfer.job.id))
        // Most exchanges end long before their entry's time.
        if timers.count > 2 * transfers.count + 1_024 {
            timers.rebuild { transfers[$0.id]?.armedAt == $0.at }
        }
    }

    private func lookAtDue() {
        while let entry = timers.popDue(at: now) {
            guard let transfer = transfers[entry.id], transfer.armedAt == entry.at else { continue }
            transfer.armedAt = nil
            lookAt(transfer)
            // Past the deadline it has failed, and there is at most a closure of its own to wait for.
            if transfers[entry.id] != nil, now < transfer.deadline(at: now) {
                arm(transfer, at: nextLook(at: transfer))
            }
        }
    }

    private func lookAt(_ transfer: Transfer) {
        if now >= transfer.deadline(at: now) {
            // A failure that was there first stays.
            if case .concluding(.failed) = transfer.phase { return }
            fail(transfer, .timedOut)
            return
        }
        switch transfer.phase {
        case .held, .waiting, .concluding, .complete: return
        case .backingOff(let until): if now >= until { enqueueAgain(transfer) }
        case .active(let easy):
            let movedBytes = easy.movedBytes
            if movedBytes != transfer.movedBytes || transfer.isPausedByUs {
                transfer.movedBytes = movedBytes
                transfer.lastProgress = now
            } else if now - transfer.lastProgress >= transfer.job.request.idleTimeout {
                endAttempt(transfer, .failed(.timedOut, isTransient: true))
            }
        }
    }

    private func nextLook(at transfer: Transfer) -> Instant {
        switch transfer.phase {
        case .held, .waiting, .concluding, .complete: transfer.deadline(at: now)
        case .backingOff(let until): until
        // Four looks in an idle time find silence at most a quarter late, and cost less than a clock in each callback.
        case .active: now + max(.milliseconds(1), transfer.job.request.idleTimeout / 4)
        }
    }
}
