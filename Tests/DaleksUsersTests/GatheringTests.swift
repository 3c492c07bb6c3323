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
        let gathering = Gathering<Int, Int>(tripsMax: 1, questionsMax: 4) { questions throws(APIError) in
            trips.withLock { $0.append(questions) }
            isOpen.wait()
            return questions.map { $0 * 10 }
        }
        let answers = Lock<[Int: Int]>([:])
        @Sendable func ask(_ question: Int) {
            let answer = try? gathering.ask(question)
            answers.withLock { $0[question] = answer }
        }

        let first = Thread(name: "first") { ask(0) }
        #expect(eventually(within: .seconds(10)) { trips.withLock { $0.count } == 1 })
        let others = (1...9).map { question in Thread(name: "other") { ask(question) } }
        #expect(eventually(within: .seconds(10)) { gathering.waitingCount == 9 })
        isOpen.open()
        for thread in [first] + others { thread.join() }

        #expect(trips.withLock { $0.map(\.count) } == [1, 4, 4, 1])
        #expect(trips.withLock { $0[0] } == [0])
        #expect(answers.withLock { $0 } == Dictionary(uniqueKeysWithValues: (0...9).map { ($0, $0 * 10) }))
    }

    @Test func `a trip that fails fails those that are on it, and no other`() throws {
        let count = Lock(0)
        let gathering = Gathering<Int, Int>(tripsMax: 2, questionsMax: 8) { questions throws(APIError) in
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
                do throws(APIError) {
                    return try gathering.ask(index * 100 + round) == index * 100 + round
                } catch {
                    return error.code == .unavailable
                }
            }
        }

        #expect(answers.allSatisfy { (try? $0.get())?.allSatisfy { $0 } == true })
        #expect(gathering.waitingCount == 0)
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
