import DaleksCore
import DaleksJSON
import Testing

@testable import DaleksAPI

/// What service, daemon and command line agree on, body by body.
struct GoldenTests {
    @Test(arguments: Golden.all)
    func `a value is written as its golden body, and the body reads as the value`(golden: Golden) throws {
        #expect(String(decoding: golden.encoded, as: UTF8.self) == golden.body.text)
        #expect(try golden.readsAlike(golden.body))
    }

    @Test(arguments: Golden.all)
    func `members of a later version are ignored wherever they stand`(golden: Golden) throws {
        #expect(try golden.readsAlike(golden.body.withUnknownMembers))
    }

    @Test(arguments: Golden.all)
    func `a missing member is refused by its name, unless it may be missing`(golden: Golden) {
        for place in golden.body.places {
            guard case .member? = place.last else { continue }
            let mayBeMissing = golden.optional.contains(place.name) || golden.unread.contains(place.name)
            // Null is another way to say that it is not there.
            for value in [nil, JSONValue.null] {
                let body = golden.body.changing(place, to: value)
                do {
                    _ = try golden.readsAlike(body)
                    #expect(mayBeMissing, "\(place.name) was not missed: \(body.text)")
                } catch {
                    let name = golden.missedAs[place.name] ?? place.lastKey
                    #expect(!mayBeMissing && "\(error)".contains(name), "\(place.name): \(error)")
                }
            }
        }
    }

    @Test(arguments: Golden.all)
    func `a member of another type is refused by its name`(golden: Golden) throws {
        for place in golden.body.places where !golden.unread.contains(place.name) {
            let body = golden.body.changing(place, to: try #require(golden.body[place]).mistyped)
            do {
                _ = try golden.readsAlike(body)
                Issue.record("\(place.name) of another type was taken: \(body.text)")
            } catch {
                #expect("\(error)".contains(place.lastKey), "\(place.name): \(error)")
            }
        }
    }

    @Test func `what is no object at all is refused`() {
        for golden in Golden.all {
            for other in ["x", 7, nil, [], true] as [JSONValue] {
                #expect(throws: (any Error).self, "\(golden.testDescription)") { try golden.readsAlike(other) }
            }
        }
    }

    @Test(arguments: ["frobnicate", "Create", "", String(repeating: "x", count: 10_000)])
    func `an operation that is not known is refused by its name, in a message of bounded length`(word: String) {
        let body: JSONValue = ["sequence": 1, "op": .string(word)]
        let error = #expect(throws: JSONError.self) { try Operation(json: body) }
        #expect(error?.path == "$.op" && error?.message.contains("`\(word.prefix(32))`") == true)
        #expect((error?.message.utf8.count ?? 0) < 200)
    }

    @Test func `every operation, outcome, conflict and kind of node has a golden body`() {
        func words(_ key: String) -> Set<String> {
            var words: Set<String> = []
            for golden in Golden.all {
                for place in golden.body.places where place.lastKey == key {
                    if case .string(let word)? = golden.body[place] { words.insert(word) }
                }
            }
            return words
        }
        #expect(words("op") == Set(Mutation.words))
        #expect(words("status").isSuperset(of: ["done", "known", "conflict", "denied", "incomplete", "waiting"]))
        #expect(words("code").isSuperset(of: OperationResult.Conflict.allCases.map(\.rawValue)))
        #expect(words("kind") == Set(NodeKind.allCases.map(\.word)))
        #expect(words("verb") == Set(ControlRequest.Verb.allCases.map(\.rawValue)))
    }

    @Test func `the control socket speaks one version`() {
        let error = #expect(throws: JSONError.self) { try ControlRequest(json: ["version": 2, "verb": "status"]) }
        #expect(error?.path == "$.version")
        #expect(throws: JSONError.self) { try ControlRequest(json: ["version": 1, "verb": "explode"]) }
    }
}
