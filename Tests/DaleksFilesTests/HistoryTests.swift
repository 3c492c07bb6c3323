import DaleksCore
import DaleksTestSupport
import Testing

/// The judge of `TwoProcessTests` is judged first.
struct HistoryTests {
    private func history(_ operations: [(Register.Act, Int64, Int64?)]) -> History<Register> {
        var history = History<Register>()
        for (act, began, ended) in operations {
            history.add(act, from: Instant(nanoseconds: began), to: ended.map { Instant(nanoseconds: $0) })
        }
        return history
    }

    @Test func `what one order explains is accepted`() {
        let histories = [
            history([]),
            history([(.replaced(0, by: 1), 0, 10), (.read(0), 5, 6), (.read(1), 7, 8)]),
            history([(.replaced(0, by: 1), 0, 10), (.refused(0), 1, 9)]),
            // The answer got lost, and the next reader shows that it happened; or that it did not.
            history([(.replaced(0, by: 1), 0, nil), (.read(1), 20, 30)]),
            history([(.replaced(0, by: 1), 0, nil), (.read(0), 20, 30)]),
            history([(.replaced(0, by: 1), 0, nil), (.read(0), 20, 30), (.read(1), 40, 50)]),
        ]
        for history in histories { #expect(history.isLinearizable(from: Register(0))) }
    }

    @Test func `what no order explains is found`() {
        let histories = [
            // An old value after a new one was acknowledged.
            history([(.replaced(0, by: 1), 0, 10), (.read(0), 11, 12)]),
            // Two who replaced the same value: one of them is lost.
            history([(.replaced(0, by: 1), 0, 10), (.replaced(0, by: 2), 5, 15)]),
            // A value that came and went back.
            history([(.replaced(0, by: 1), 0, 10), (.read(1), 1, 2), (.read(0), 3, 4)]),
            // Refused though nobody had replaced it.
            history([(.refused(0), 0, 10), (.replaced(0, by: 1), 11, 12)]),
            // Seen before it began.
            history([(.read(1), 0, 1), (.replaced(0, by: 1), 2, nil)]),
        ]
        for history in histories { #expect(!history.isLinearizable(from: Register(0))) }
    }
}
