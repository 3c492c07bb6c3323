import DaleksCore
import DaleksHTTP
import DaleksSystem

/// Puts questions that come at the same time to the database together: what a trip costs, two processes woken and a
/// statement begun, is more than the answer itself. Nor does anybody who asks wait on a thread: the answer comes by a
/// closure, so that a trip wakes one thread and not one for each question.
///
/// Who comes when nobody is under way is asked for at once and alone, so that nobody waits for company. Who comes later
/// is taken along by the next trip, with all that wait then. No answer is older than its question: a trip takes only
/// questions that were there when it began.
///
/// ## Concurrency
/// `state` is guarded by itself. `trip`, and the closures that take the answers, run on the threads of `pool` with no
/// lock held, `tripsMax` at a time. Whoever counts itself in `tripCount` goes until nobody waits.
final class Gathering<Question: Sendable, Answer: Sendable>: Sendable {
    typealias Reply = @Sendable (Result<Answer, APIError>) -> Void

    private struct Ticket: Sendable {
        let question: Question
        let reply: Reply
    }

    private struct State {
        var tripCount = 0
        var waiting: [Ticket] = []
    }

    private enum Entry {
        case refused
        case waits
        case goes
    }

    private let tripsMax: Int
    private let questionsMax: Int
    private let waitingMax: Int
    private let trip: @Sendable ([Question]) throws(APIError) -> [Answer]
    private let state = Lock(State())
    private let pool: WorkerPool

    /// `trip` answers each question, in their order.
    init(
        name: String,
        tripsMax: Int,
        questionsMax: Int,
        waitingMax: Int,
        trip: @escaping @Sendable ([Question]) throws(APIError) -> [Answer]
    ) {
        self.tripsMax = tripsMax
        self.questionsMax = questionsMax
        self.waitingMax = waitingMax
        self.trip = trip
        pool = WorkerPool(name: name, threadCountMax: tripsMax, waitingCountMax: tripsMax)
    }

    /// Those that wait for the next trip.
    var waitingCount: Int { state.withLock { $0.waiting.count } }

    /// Answers later, on another thread. It does not block.
    func ask(_ question: Question, then reply: @escaping Reply) {
        let ticket = Ticket(question: question, reply: reply)
        let entry = state.withLock { state -> Entry in
            guard state.waiting.count < waitingMax else { return .refused }
            state.waiting.append(ticket)
            guard state.tripCount < tripsMax else { return .waits }
            state.tripCount += 1
            return .goes
        }
        switch entry {
        case .refused: reply(.failure(Self.full))
        case .waits: break
        case .goes: if !pool.submit({ [self] in go() }) { giveUp() }
        }
    }

    /// Answers whoever waits, and ends the threads. Who asks later is refused.
    func close() { pool.close() }

    private func go() {
        while let tickets = next() {
            let answers = Result { () throws(APIError) in try trip(tickets.map(\.question)) }
            for (index, ticket) in tickets.enumerated() { ticket.reply(answers.map { $0[index] }) }
        }
    }

    /// Nil, and this trip is counted no more, where nobody waits.
    private func next() -> [Ticket]? {
        state.withLock { state in
            guard !state.waiting.isEmpty else {
                state.tripCount -= 1
                return nil
            }
            let tickets = Array(state.waiting.prefix(questionsMax))
            state.waiting.removeFirst(tickets.count)
            return tickets
        }
    }

    /// The pool is closing: nobody goes any more.
    private func giveUp() {
        let left = state.withLock { state -> [Ticket] in
            state.tripCount -= 1
            defer { state.waiting = [] }
            return state.waiting
        }
        for ticket in left { ticket.reply(.failure(Self.full)) }
    }

    private static var full: APIError {
        .unavailable("too many questions at once; try again soon", retryAfterSeconds: 1)
    }
}
