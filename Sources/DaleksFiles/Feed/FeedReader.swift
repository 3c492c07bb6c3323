import DaleksAPI
import DaleksCore
import DaleksHTTP
import DaleksHTTPServer
import DaleksJSON
import DaleksSystem

/// Somebody who waits for changes: where in which trees, and how he is answered.
struct FeedReader: Sendable {
    struct Place: Hashable, Sendable {
        let owner: UserID
        var cursor: Cursor
        /// Who reads its own tree, and need not be told at length what it did there itself.
        var device: DeviceID?
    }

    enum Answer: Sendable {
        /// The page of one tree.
        case page(Parked)
        /// Those of several trees where something happened.
        case pages(Parked)
        /// One event a page, until the deadline.
        case events(EventSink)
    }

    let caller: Caller
    var places: [Place]
    let deadline: Instant
    let answer: Answer

    /// Reads what happened. Gives the reader back where it goes on waiting.
    func deliver(_ pages: inout FeedPages) -> FeedReader? {
        switch answer {
        case .page(let parked):
            deliverOne(&pages) {
                parked.complete($0)
            } fail: {
                parked.fail($0)
            }
        case .pages(let parked): deliverMany(&pages, parked)
        case .events(let sink): deliverEvent(&pages, sink)
        }
    }

    private func deliverOne(
        _ pages: inout FeedPages,
        _ complete: (HTTPResponse) -> Void,
        fail: (APIError) -> Void
    ) -> FeedReader? {
        do throws(APIError) {
            let page = try pages.page(places[0], caller.user)
            guard page.isEmpty else {
                complete(.json(bytes: page.body))
                return nil
            }
            // Nothing that this reader may see, or another owner in the same place of the table.
            var again = self
            again.places[0].cursor = page.cursor
            return again
        } catch {
            fail(error)
            return nil
        }
    }

    private func deliverMany(_ pages: inout FeedPages, _ parked: Parked) -> FeedReader? {
        var again = self
        do throws(APIError) {
            let news = try Self.news(&again.places, of: caller, &pages)
            guard news.isEmpty else {
                parked.complete(.json(of: FollowAnswer(news)))
                return nil
            }
            return again
        } catch {
            parked.fail(error)
            return nil
        }
    }

    /// What happened in the trees where something did; in the others the cursor moves past what may not be seen.
    static func news(
        _ places: inout [Place],
        of caller: Caller,
        _ pages: inout FeedPages
    ) throws(APIError) -> [FollowAnswer.Page] {
        var news: [FollowAnswer.Page] = []
        for index in places.indices {
            let owner = places[index].owner
            do throws(APIError) {
                let page = try pages.page(places[index], caller.user)
                places[index].cursor = page.cursor
                if !page.isEmpty { news.append(.init(owner: owner, outcome: .changes(page.changes))) }
            } catch {
                switch error.code {
                case .cursorExpired: news.append(.init(owner: owner, outcome: .cursorExpired))
                case .notFound: news.append(.init(owner: owner, outcome: .notFound))
                default: throw error
                }
            }
        }
        return news
    }

    /// Pages until there is none, then waits on.
    private func deliverEvent(_ pages: inout FeedPages, _ sink: EventSink) -> FeedReader? {
        var again = self
        do throws(APIError) {
            while true {
                let page = try pages.page(again.places[0], caller.user)
                again.places[0].cursor = page.cursor
                guard !page.isEmpty else { return sink.isClosed ? nil : again }
                let text = String(decoding: page.body, as: UTF8.self)
                guard sink.send(data: text, event: "changes", id: page.cursor.description) else { return nil }
            }
        } catch {
            sink.send(data: error.code.rawValue, event: "error")
            sink.close()
            return nil
        }
    }

    /// The time is over, or the service stops: nothing happened.
    func end() {
        switch answer {
        case .page(let parked):
            parked.complete(.json(of: ChangesPage(changes: [], cursor: places[0].cursor.description)))
        case .pages(let parked): parked.complete(.json(of: FollowAnswer([])))
        case .events(let sink): sink.close()
        }
    }

    func fail(_ error: APIError) {
        switch answer {
        case .page(let parked), .pages(let parked): parked.fail(error)
        case .events(let sink):
            sink.send(data: error.code.rawValue, event: "error")
            sink.close()
        }
    }

    func onGone(_ body: @escaping @Sendable () -> Void) {
        switch answer {
        case .page(let parked), .pages(let parked): parked.onClientGone(body)
        case .events(let sink): sink.onClosed(body)
        }
    }
}

/// Pages that one round of deliveries read, each once.
struct FeedPages {
    struct Page {
        let changes: ChangesPage
        let cursor: Cursor
        let body: [UInt8]
        var isEmpty: Bool { changes.changes.isEmpty }
    }

    private struct Key: Hashable {
        let place: FeedReader.Place
        let caller: UserID
    }

    private let store: TreeStore
    private var pages: [Key: Result<Page, APIError>] = [:]

    init(_ store: TreeStore) { self.store = store }

    mutating func page(_ place: FeedReader.Place, _ caller: UserID) throws(APIError) -> Page {
        let key = Key(place: place, caller: caller)
        if let known = pages[key] { return try known.get() }
        let result: Result<Page, APIError>
        do throws(APIError) {
            let read = try store.changes(of: place.owner, after: place.cursor, for: caller, by: place.device)
            let changes = ChangesPage(changes: read.changes, cursor: read.cursor.description)
            result = .success(Page(changes: changes, cursor: read.cursor, body: changes.jsonBytes))
        } catch {
            result = .failure(error)
        }
        pages[key] = result
        return try result.get()
    }
}
