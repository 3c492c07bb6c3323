import DaleksHTTP
import DaleksSystem

/// Puts questions that come at the same time to a database server together: what a trip costs, two processes woken and
/// a statement begun, is more than the answer itself.
///
/// Who comes when nobody is under way asks at once and alone, so that nobody waits for company. Who comes later waits
/// for the next trip, which takes all that wait then. No answer is older than its question: a trip takes only questions
/// that were there when it began.
///
/// ## Concurrency
/// `state` is guarded by itself; `trip` runs with no lock held, on the thread of one of those that ask, `tripsMax` at a
/// time. Each that waits is woken once: with its answer, or to make the next trip.
final class Gathering<Question: Sendable, Answer: Sendable>: Sendable {
    private enum Call: Sendable {
        case waits
        case goes
        case answered(Result<Answer, APIError>)
    }

    private final class Ticket: Sendable {
        let question: Question
        let call = Condition(Call.waits)

        init(_ question: Question) { self.question = question }

        func tell(_ news: Call) {
            call.withLock { $0 = news }
            call.signal()
        }
    }

    private struct State {
        var tripCount = 0
        var waiting: [Ticket] = []
    }

    private let tripsMax: Int
    private let questionsMax: Int
    private let trip: @Sendable ([Question]) throws(APIError) -> [Answer]
    private let state = Lock(State())

    /// `trip` answers each question, in their order.
    init(
        tripsMax: Int,
        questionsMax: Int,
        trip: @escaping @Sendable ([Question]) throws(APIError) -> [Answer]
    ) {
        self.tripsMax = tripsMax
        self.questionsMax = questionsMax
        self.trip = trip
    }

    /// Those that wait for the next trip.
    var waitingCount: Int { state.withLock { $0.waiting.count } }

    func ask(_ question: Question) throws(APIError) -> Answer {
        let ticket = Ticket(question)
        let goes = state.withLock { state in
            guard state.tripCount < tripsMax else {
                state.waiting.append(ticket)
                return false
            }
            state.tripCount += 1
            return true
        }
        if !goes {
            let news = ticket.call.wait { call -> Call? in if case .waits = call { nil } else { call } }
            if case .answered(let answer) = news { return try answer.get() }
        }
        return try go(ticket)
    }

    /// Makes a trip for this one and those that wait.
    private func go(_ ticket: Ticket) throws(APIError) -> Answer {
        let others = state.withLock { state in
            let others = Array(state.waiting.prefix(questionsMax - 1))
            state.waiting.removeFirst(others.count)
            return others
        }
        let answers = Result { () throws(APIError) in try trip([ticket.question] + others.map(\.question)) }
        // The next trip begins before anybody here looks at an answer.
        let next = state.withLock { state -> Ticket? in
            guard !state.waiting.isEmpty else {
                state.tripCount -= 1
                return nil
            }
            return state.waiting.removeFirst()
        }
        next?.tell(.goes)
        for (index, other) in others.enumerated() { other.tell(.answered(answers.map { $0[index + 1] })) }
        return try answers.get()[0]
    }
}
