import DaleksAPI
import DaleksClient
import DaleksCore
import DaleksHTTP
import DaleksHTTPClient
import DaleksJSON
import DaleksSystem
import DaleksTestSupport
import Glibc
import Testing

@testable import DaleksUsers

/// Questions that travel together.
struct GatheringTests {
    @Test func `who comes first goes alone, who waits goes together, and each gets an own answer`() throws {
        let (isOpen, trips) = (Gate(), Lock<[[Int]]>([]))
        let gathering = Gathering<Int, Int>(name: "test", tripsMax: 1, questionsMax: 4, waitingMax: 9) {
            questions throws(APIError) in
            trips.withLock { $0.append(questions) }
            isOpen.wait()
            return questions.map { $0 * 10 }
        }
        defer { gathering.close() }
        let (answers, refusals) = (Lock<[Int: Int]>([:]), Lock(0))
        func ask(_ question: Int) {
            gathering.ask(question) { result in
                switch result {
                case .success(let answer): answers.withLock { $0[question] = answer }
                case .failure: refusals.withLock { $0 += 1 }
                }
            }
        }

        ask(0)
        #expect(eventually(within: .seconds(10)) { trips.withLock { $0.count } == 1 })
        for question in 1...9 { ask(question) }
        #expect(gathering.waitingCount == 9)
        // No more may wait: this one is told at once.
        ask(10)
        #expect(refusals.withLock { $0 } == 1)
        isOpen.open()
        #expect(eventually(within: .seconds(10)) { answers.withLock { $0.count } == 10 })

        #expect(trips.withLock { $0.map(\.count) } == [1, 4, 4, 1])
        #expect(trips.withLock { $0[0] } == [0])
        #expect(answers.withLock { $0 } == Dictionary(uniqueKeysWithValues: (0...9).map { ($0, $0 * 10) }))
    }

    @Test func `a trip that fails fails those that are on it, and no other`() throws {
        let count = Lock(0)
        let gathering = Gathering<Int, Int>(name: "test", tripsMax: 2, questionsMax: 8, waitingMax: 100) {
            questions throws(APIError) in
            usleep(1_000)
            let number = count.withLock { count in
                count += 1
                return count
            }
            if number % 3 == 0 { throw .unavailable("the database is away") }
            return questions
        }

        let answers = atOnce(16) { index in
            (0..<20).map { round in
                let answer = Condition<Result<Int, APIError>?>(nil)
                gathering.ask(index * 100 + round) { result in
                    answer.withLock { $0 = result }
                    answer.signal()
                }
                return switch answer.wait(timeout: .seconds(10), until: { $0 }) {
                case .success(let number): number == index * 100 + round
                case .failure(let error): error.code == .unavailable
                case nil: false
                }
            }
        }
        gathering.close()
        let late = Lock<Result<Int, APIError>?>(nil)
        gathering.ask(1) { result in late.withLock { $0 = result } }

        #expect(answers.allSatisfy { (try? $0.get())?.allSatisfy { $0 } == true })
        #expect(gathering.waitingCount == 0)
        #expect(throws: APIError.self, "after the end nobody goes") { try late.withLock { $0 }?.get() }
    }

    @Test(arguments: Backend.allCases)
    func `many who ask about tokens at once are each told about theirs`(backend: Backend) throws {
        let service = try TestService(on: backend)
        defer { service.stop() }
        let programs = [try Program(service), try Program(service)]
        let people = try (0..<8).map { try service.newcomer("p\($0)@example.com") }
        try service.users.revoke(try required(people[0].refreshToken))

        let answers = atOnce(24) { index in
            try (0..<10).map { round in
                let person = people[(index + round) % people.count]
                let program = programs[round % 2]
                if round == 9 {
                    let form = [("token", person.accessToken), ("client_id", program.id), ("client_secret", "wrong")]
                    return try service.form(Routes.Users.introspect, form).status == .unauthorized
                }
                let answer = try program.send(Routes.Users.introspect, [("token", person.accessToken)]).json
                guard (index + round) % people.count != 0 else { return try !answer.bool("active") }
                return try answer.string("sub") == "\(required(person.user).id)"
            }
        }

        #expect(answers.allSatisfy { (try? $0.get())?.allSatisfy { $0 } == true }, "\(answers)")
    }
}
