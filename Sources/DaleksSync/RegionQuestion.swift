import DaleksCache
import DaleksCore
import DaleksSystem

/// A change of names about which the region has the last word. It is done here and sent like any other; where the
/// region says no, as when somebody else was first, it is taken back here, and nothing of it stays.
///
/// ## Concurrency
/// `state` is held for arithmetic. The answer is noted inside the transaction that takes the row out of the journal:
/// who finds the row gone finds the answer.
public final class RegionQuestion: Sendable {
    enum Answer: Sendable {
        /// What others did is in the way. These folders are to be listed before anything is concluded from them.
        case overtaken([Inode])
        case refused(Errno)
    }

    private struct State {
        var place: Int64?
        var answer: Answer?
        var isIdle = false
    }

    private let state = Lock(State())

    public init() {}

    /// Where it stands in the journal; nil where the region need not hear of it.
    var place: Int64? { state.withLock { $0.place } }

    /// Whether there was anything for the region to decide.
    public var isAsked: Bool { place != nil }

    /// By what is known here there is nothing to do, since both names are one file's. While something is done in the
    /// folder, that may be known of one name and not yet of the other.
    public var isIdle: Bool { state.withLock { $0.isIdle } }

    /// Nil while there is none, and where the region agreed.
    var answer: Answer? { state.withLock { $0.answer } }

    func enter(at place: Int64) { state.withLock { $0 = State(place: place) } }
    func noteIdle() { state.withLock { $0.isIdle = true } }
    func note(_ answer: Answer) { state.withLock { $0.answer = answer } }
}

/// The questions to which somebody waits for the answer, by their place in the journal.
///
/// ## Concurrency
/// Guarded by a lock of its own, held for arithmetic.
final class RegionQuestions: Sendable {
    private let waiting = Lock<[Int64: RegionQuestion]>([:])

    func enter(_ question: RegionQuestion, at place: Int64) {
        question.enter(at: place)
        waiting.withLock { $0[place] = question }
    }

    func note(_ answers: [Int64: RegionQuestion.Answer]) {
        guard !answers.isEmpty else { return }
        let asked = waiting.withLock { waiting in
            answers.compactMap { place, answer in waiting[place].map { ($0, answer) } }
        }
        for (question, answer) in asked { question.note(answer) }
    }

    /// Nobody waits for it any more.
    func leave(_ question: RegionQuestion) {
        guard let place = question.place else { return }
        waiting.withLock { _ = $0.removeValue(forKey: place) }
    }
}

/// A signal came for whoever waits: he waits on for a moment, since a region that is there answers in that time, and an
/// answer is worth more than not to know what became of a change. Then he hears EINTR.
///
/// ## Concurrency
/// Guarded by a lock of its own.
public final class Impatience: Sendable {
    /// A round trip to the farthest region and its work, several times over; no longer than somebody at a terminal
    /// waits without wondering.
    static let grace: Duration = .seconds(1)

    private let moment = Lock<Instant?>(nil)

    public init() {}

    func note(at moment: Instant) { self.moment.withLock { $0 = $0 ?? moment } }

    /// When he is to hear of it.
    var end: Instant? { moment.withLock { $0 }.map { $0 + Self.grace } }
}
