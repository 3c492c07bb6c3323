import DaleksAPI
import DaleksCore
import DaleksHTTP
import DaleksHTTPServer
import DaleksSystem

/// The feed: one tree or several, as a long poll or as events.
extension FilesRouter {
    func addChanges(to router: inout Router) {
        let readers = callers(.read)
        router.onAuthenticated(.get, Routes.Files.changes, by: readers) {
            [store, feed, time] request, asked throws(APIError) in
            let caller = asked.principal
            let wantsEvents = request.fields.list("Accept")?.contains("text/event-stream") ?? false
            let text = wantsEvents ? request.fields["Last-Event-ID"] ?? "" : ""
            guard let cursor = Cursor(text.isEmpty ? try request.query.only("after") ?? "" : text) else {
                throw .malformed("the parameter after must be a cursor that this region gave")
            }
            let place = FeedReader.Place(
                owner: try request.query.identifier("owner") ?? caller.user,
                cursor: cursor,
                device: try request.query.identifier("device")
            )
            let wait = try request.query.integer("wait", in: 0...Int64.max) ?? 0
            let mark = feed.mark(place.owner)
            // Also what refuses a reader before any feed begins.
            let page = try store.changes(of: place.owner, after: cursor, for: caller.user, by: place.device)
            if wantsEvents {
                let deadline = time.now + max(.zero, caller.expires - time.wall)
                return .events { sink in
                    feed.follow(FeedReader(caller: caller, places: [place], deadline: deadline, answer: .events(sink)))
                }
            }
            guard page.changes.isEmpty, wait > 0 else {
                return .json(of: ChangesPage(changes: page.changes, cursor: page.cursor.description))
            }
            let deadline = Self.deadline(of: caller, waiting: wait, time)
            return .parked { parked in
                let waiting = FeedReader.Place(owner: place.owner, cursor: page.cursor, device: place.device)
                feed.park(
                    FeedReader(caller: caller, places: [waiting], deadline: deadline, answer: .page(parked)),
                    since: mark
                )
            }
        }
        router.onAuthenticated(
            .post,
            Routes.Files.changes,
            by: readers,
            body: .limited(to: Int64(Limits.Files.followBytesMax))
        ) { [store, feed, time] request, asked throws(APIError) in
            let asking: FollowRequest = try Self.body(of: request, max: Limits.Files.followBytesMax)
            var places: [FeedReader.Place] = []
            for place in asking.places {
                guard let cursor = Cursor(place.cursor) else { throw .malformed("a cursor is not one of this region") }
                places.append(FeedReader.Place(owner: place.owner, cursor: cursor))
            }
            let caller = asked.principal
            let mark = feed.mark(places.map(\.owner))
            let deadline = Self.deadline(of: caller, waiting: Int64(clamping: asking.waitSeconds), time)
            var pages = FeedPages(store)
            var moved = places
            let news = try FeedReader.news(&moved, of: caller, &pages)
            guard news.isEmpty, asking.waitSeconds > 0 else { return .json(of: FollowAnswer(news)) }
            return .parked { [moved] parked in
                feed.park(
                    FeedReader(caller: caller, places: moved, deadline: deadline, answer: .pages(parked)),
                    since: mark
                )
            }
        }
    }

    /// Nobody follows a tree longer than his token holds.
    private static func deadline(of caller: Caller, waiting seconds: Int64, _ time: TimeSource) -> Instant {
        let most = Int64(Limits.Wire.changesWaitSecondsMax)
        return time.now + max(.zero, min(.seconds(min(seconds, most)), caller.expires - time.wall))
    }
}
