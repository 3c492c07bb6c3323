import DaleksAPI
import DaleksCore
import DaleksHTTP
import DaleksHTTPServer
import DaleksJSON
import DaleksSystem

/// The directory of regions, and what files services ask.
struct DirectoryRoutes: Sendable {
    let store: UsersStore
    let enrolment: Enrolment
    let feed: RevocationFeed
    let services: ServiceCheck

    func add(to router: inout Router) {
        router.on(.get, Routes.Users.regions) { [store] _, _ throws(APIError) in
            HTTPResponse.json(RegionList(try store.read { db in try RegionTable.listed(db) }))
                .with("Cache-Control", "max-age=30")
        }
        let body = BodyRule.limited(to: Int64(Limits.Users.bodyBytesMax))
        router.on(.post, Routes.Users.enrolments, body: body) { [enrolment] request, _ throws(APIError) in
            let asked = try request.json(EnrolmentRequest.self, bytesMax: Limits.Users.bodyBytesMax)
            return HTTPResponse.json(try enrolment.enrol(asked, from: Origin(request)), status: .created).notStored
        }
        let services = Authenticator<RegionService> { [services] request throws(APIError) in
            try services.service(of: request)
        }
        router.onAuthenticated(.get, Routes.Users.revocations, by: services) {
            [feed] request, _ throws(APIError) in
            let wait = try request.query.integer("wait", in: 0...Int64(Limits.Wire.changesWaitSecondsMax)) ?? 0
            let cursor = try request.query.only("after")
            return try Later.answer({ (page: RevocationPage) in .json(page) }) { answer throws(APIError) in
                try feed.page(after: cursor, wait: .seconds(wait), then: answer)
            }
        }
    }
}
