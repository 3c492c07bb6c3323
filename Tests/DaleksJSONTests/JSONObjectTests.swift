import DaleksJSON
import Testing

struct JSONObjectTests {
    @Test(arguments: [3, 12, 13, 200])
    func `members keep their order and are found, set and removed by name`(count: Int) {
        var object = JSONObject()
        for index in 0..<count { object["name \(index)"] = .integer(Int64(index)) }

        object["name 1"] = "changed"
        object["name 0"] = nil
        object["nobody"] = nil
        object["last"] = true

        #expect(object.keys == (1..<count).map { "name \($0)" } + ["last"])
        #expect(object["name 0"] == nil)
        #expect(object["name 1"] == "changed")
        #expect(object["name \(count - 1)"] == .integer(Int64(count - 1)))
        #expect(object["last"] == true)
        #expect(object.contains("last"))
        #expect(!object.contains("nobody"))
        #expect(object.count == count)
    }

    @Test
    func `the order of members means nothing for equality`() {
        let one: JSONObject = ["a": 1, "b": [2]]
        let other: JSONObject = ["b": [2], "a": 1]

        #expect(one == other)
        #expect(one != ["a": 1])
        #expect(one != ["a": 1, "b": [3]])
        #expect(one != ["a": 1, "c": [2]])
    }

    @Test
    func `a member that is null is there`() {
        let object: JSONObject = ["a": nil]

        #expect(object["a"] == .some(.null))
        #expect(object["b"] == nil)
    }
}
