import Testing

@testable import DaleksPostgres

struct StatementCacheTests {
    @Test func `the longest unused statement goes first`() {
        var cache = StatementCache(capacity: 2)
        let (a, none) = cache.insert("a", types: [])
        let (b, _) = cache.insert("b", types: [])
        #expect(none == nil)
        #expect(cache.find("a", types: []) == a)
        let (c, evicted) = cache.insert("c", types: [])
        #expect(evicted == b)
        #expect(cache.find("b", types: []) == nil)
        #expect(cache.find("c", types: []) == c)
        #expect(cache.count == 2)
        cache.remove(name: a)
        cache.remove(name: a)
        #expect(cache.count == 1)
        #expect(Set([a, b, c]).count == 3)
    }

    @Test func `NULL fits any variant, and a type only its own`() {
        var cache = StatementCache(capacity: 8)
        let (typed, _) = cache.insert("x", types: [20, 25])
        #expect(cache.find("x", types: [0, 25]) == typed)
        #expect(cache.find("x", types: [0, 0]) == typed)
        #expect(cache.find("x", types: [23, 25]) == nil)
        #expect(cache.find("x", types: [20]) == nil)
        let (untyped, _) = cache.insert("y", types: [0])
        #expect(cache.find("y", types: [20]) == nil)
        #expect(cache.find("y", types: [0]) == untyped)
    }
}
