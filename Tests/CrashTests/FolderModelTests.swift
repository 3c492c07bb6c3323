import DaleksCore
import DaleksTestSupport
import Testing

/// The judges of `HistoryTests` are judged first, by faults that a region could have.
struct FolderModelTests {
    private func history(_ operations: [(FolderModel.Act, Int64, Int64?)]) -> History<FolderModel> {
        var history = History<FolderModel>()
        for (act, began, ended) in operations {
            history.add(act, from: Instant(nanoseconds: began), to: ended.map { Instant(nanoseconds: $0) })
        }
        return history
    }

    private func isExplained(_ operations: [(FolderModel.Act, Int64, Int64?)]) -> Bool {
        history(operations).settled().isLinearizable(from: FolderModel(count: 2))
    }

    @Test func `what one machine could have done is accepted`() {
        // Who lost may have come first by the clock, while the winner was still at it.
        #expect(isExplained([(.made(0, node: 2), 0, 10), (.exists(0), 1, 5)]))
        #expect(isExplained([(.made(0, node: 2), 0, 10), (.made(0, node: 3), 1, 30), (.removed(0), 11, 12)]))
        #expect(
            isExplained([
                (.put(0, node: 2), 0, 5), (.moved(0, to: 1), 6, 9), (.absent(0), 8, 12), (.saw(1, node: 2), 10, 11),
            ])
        )
        #expect(
            isExplained([
                (.openedOrMade(0, node: 2), 0, 5), (.openedOrMade(0, node: 2), 3, 7), (.took(0, node: 2), 8, 9),
            ])
        )
        #expect(
            isExplained([
                (.put(0, node: 2), 0, 1), (.put(1, node: 3), 2, 3), (.exchanged(0, 1), 4, 6), (.saw(0, node: 3), 5, 7),
            ])
        )
    }

    @Test func `of what was under way at a death both is accepted, that it happened and that it did not`() {
        #expect(isExplained([(.removed(0), 0, nil), (.absent(0), 5, 6)]))
        #expect(
            isExplained([(.made(0, node: FolderModel.unknown), 0, nil), (.absent(0), 5, 6), (.saw(0, node: 9), 7, 8)])
        )
        #expect(
            !isExplained([(.made(0, node: FolderModel.unknown), 0, nil), (.saw(0, node: 9), 7, 8), (.absent(0), 9, 10)])
        )
    }

    @Test(
        arguments: [
            ("two winners", [(.made(0, node: 2), 0, 10), (.made(0, node: 3), 1, 9)]),
            ("a loser without a winner", [(.exists(0), 0, 1), (.made(0, node: 2), 2, 3)]),
            (
                "a name seen after it was removed",
                [(.put(0, node: 2), 0, 1), (.removed(0), 2, 3), (.saw(0, node: 2), 4, 5)]
            ),
            (
                "a file that a rename had replaced",
                [(.put(0, node: 2), 0, 1), (.put(0, node: 3), 2, 3), (.saw(0, node: 2), 4, 5)]
            ),
            ("removed twice", [(.put(0, node: 2), 0, 1), (.removed(0), 2, 5), (.removed(0), 3, 6)]),
            (
                "a rename seen half",
                [(.put(0, node: 2), 0, 1), (.moved(0, to: 1), 2, 9), (.absent(0), 3, 4), (.absent(1), 5, 6)]
            ),
            (
                "a file in two places",
                [
                    (.put(0, node: 2), 0, 1), (.moved(0, to: 1), 2, 9), (.saw(1, node: 2), 3, 4),
                    (.saw(0, node: 2), 5, 6),
                ]
            ),
            ("O_CREAT made two", [(.openedOrMade(0, node: 2), 0, 9), (.openedOrMade(0, node: 3), 1, 8)]),
            ("a node that nobody made", [(.saw(0, node: 2), 0, 1)]),
        ] as [(String, [(FolderModel.Act, Int64, Int64?)])]
    )
    func `what a region does wrong is found`(what: String, operations: [(FolderModel.Act, Int64, Int64?)]) {
        #expect(!isExplained(operations), "\(what)")
    }

    @Test func `what was closed before it was opened is read, and nothing else`() {
        let nodes = KnownNodes()
        func at(_ time: Int64) -> Instant { Instant(nanoseconds: time) }
        nodes.wrote("whole", into: 2, from: at(10), to: at(20))
        func problem(_ text: String, _ opened: Int64, _ ended: Int64) -> String? {
            nodes.problem(with: text, in: 2, openedAt: at(opened), readBy: at(ended))
        }
        #expect(problem("whole", 30, 40) == nil)
        #expect(problem("", 15, 40) == nil && problem("wh", 20, 40) == nil)
        #expect(problem("", 21, 40) != nil && problem("wh", 30, 40) != nil)
        #expect(problem("whale", 15, 40) != nil)
        #expect(problem("whole", 1, 9) != nil)
        #expect(nodes.problem(with: "x", in: 3, openedAt: at(0), readBy: at(1)) != nil)
    }

    @Test func `two that have a lock at once are found`() {
        func held(_ began: Int64, _ ended: Int64, _ isToWrite: Bool) -> CounterWorker.Held {
            .init(began: Instant(nanoseconds: began), ended: Instant(nanoseconds: ended), isToWrite: isToWrite)
        }
        #expect(
            CounterRound.overlap([held(0, 9, false), held(2, 5, false), held(9, 12, true), held(12, 13, false)]) == nil
        )
        #expect(CounterRound.overlap([held(0, 9, true), held(8, 12, true)]) != nil)
        #expect(CounterRound.overlap([held(0, 9, false), held(2, 3, false), held(5, 6, true)]) != nil)
        #expect(CounterRound.overlap([held(0, 9, true), held(1, 2, false)]) != nil)
    }
}
