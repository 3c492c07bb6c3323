import DaleksCore
import DaleksHTTP

/// Whether and when an exchange is tried again. A pure decision, so that it can be tested as a table.
struct RetryPlan {
    enum Outcome {
        /// An answer that says "not now", perhaps with the time to wait.
        case refused(retryAfter: Duration?)
        /// Broken in a way that may not happen again.
        case broken
        /// Final: an answer, or an error that the next attempt would meet again.
        case final
    }

    enum Decision: Equatable {
        case accept
        case retry(after: Duration)
    }

    let delayBase: Duration
    let delayMax: Duration
    let retryAfterMax: Duration

    /// `draw` is a number in 0..<1.
    func decide(
        _ outcome: Outcome,
        policy: ClientRequest.RetryPolicy,
        canRepeat: Bool,
        attempts: Int,
        remaining: Duration,
        draw: Double
    ) -> Decision {
        guard case .idempotent(let attemptsMax) = policy, canRepeat,
            attempts < min(attemptsMax, Limits.HTTPClient.attemptsMax)
        else { return .accept }
        let delay: Duration
        switch outcome {
        case .final: return .accept
        case .broken: delay = jitter(attempts, draw)
        case .refused(let retryAfter):
            guard let retryAfter else {
                delay = jitter(attempts, draw)
                break
            }
            guard retryAfter <= retryAfterMax else { return .accept }
            // Never before the time named; the jitter behind it keeps the crowd that was told the same apart.
            delay = retryAfter + jitter(attempts, draw)
        }
        // A retry that the deadline would cut off before it began is none: what is known now is the better answer.
        return delay < remaining ? .retry(after: delay) : .accept
    }

    /// Full jitter: anything from nought to the doubled base.
    private func jitter(_ attempts: Int, _ draw: Double) -> Duration {
        let ceiling = min(delayMax.nanoseconds, delayBase.nanoseconds << min(20, max(0, attempts - 1)))
        return .nanoseconds(Int64(Double(ceiling) * draw))
    }

    /// What an answer means for another attempt.
    static func outcome(status: HTTPStatus, fields: HTTPFields, now: Timestamp) -> Outcome {
        switch status.code {
        case 429, 502, 503, 504: .refused(retryAfter: fields["Retry-After"].flatMap { retryAfter($0, now: now) })
        default: .final
        }
    }

    /// Seconds or a date (RFC 9110, 10.2.3). Nil where it is neither.
    static func retryAfter(_ text: String, now: Timestamp) -> Duration? {
        if !text.isEmpty, text.utf8.count <= 9, text.utf8.allSatisfy({ (48...57).contains($0) }) {
            return Int64(text).map { .seconds($0) }
        }
        return HTTPDate.parse(text).map { max(.zero, $0 - now) }
    }
}
