import DaleksAPI
import DaleksCore
import DaleksHTTP
import DaleksSQLite
import DaleksSystem

/// What administrators do with the directory.
struct RegionAdministration: Sendable {
    let store: UsersStore
    let time: TimeSource

    struct Entry: Sendable {
        let region: RegionTable.Entry
        let userCount: Int
    }

    struct Wish: Sendable {
        var name: String?
        var filesURL: String?
        var status: String?
    }

    func list() throws(APIError) -> [Entry] {
        try store.read { db in
            var entries: [Entry] = []
            for region in try RegionTable.entries(db) {
                let count = try AccountTable.count(home: region.region.code, db)
                entries.append(Entry(region: region, userCount: count))
            }
            return entries
        }
    }

    func create(
        code: String,
        name: String?,
        filesURL: String,
        by actor: Caller,
        from origin: Origin
    ) throws(APIError) -> RegionRecord {
        guard RegionSetting.isCode(code) else { throw Enrolment.badCode }
        guard let url = RegionSetting.url(filesURL) else { throw Enrolment.badURL }
        let region = RegionRecord(
            code: code,
            name: try Registration.name(name ?? code),
            filesURL: url,
            status: RegionTable.open
        )
        try store.write { db in
            guard try RegionTable.load(code: code, db) == nil else {
                throw APIError(.alreadyExists, "there is a region with this code")
            }
            guard try RegionTable.entries(db).count < Limits.Users.regionCountMax else {
                throw APIError.conflict("there are \(Limits.Users.regionCountMax) regions already")
            }
            try save(region, "made \(code)", actor, origin, db)
        }
        return region
    }

    /// Closing a region voids its credentials too.
    func change(
        _ code: String,
        _ wish: Wish,
        by actor: Caller,
        from origin: Origin
    ) throws(APIError) -> RegionRecord {
        let statuses = [RegionTable.open, RegionTable.draining, RegionTable.closed]
        if let status = wish.status, !statuses.contains(status) {
            throw .invalid("a region's status is one of: \(statuses.joined(separator: ", "))")
        }
        if let name = wish.name { _ = try Registration.name(name) }
        var url: String?
        if let text = wish.filesURL {
            url = RegionSetting.url(text)
            guard url != nil else { throw Enrolment.badURL }
        }
        let newURL = url
        return try store.write { db in
            guard var region = try RegionTable.load(code: code, db) else { throw Self.unknown }
            if let name = wish.name { region.name = name }
            if let newURL { region.filesURL = newURL }
            if let status = wish.status { region.status = status }
            try save(region, "changed \(code): \(region.status)", actor, origin, db)
            if region.status == RegionTable.closed { try RegionTable.setSecret(nil, of: code, db) }
            return region
        }
    }

    func delete(_ code: String, by actor: Caller, from origin: Origin) throws(APIError) {
        let now = time.wall
        try store.write { db in
            guard try RegionTable.load(code: code, db) != nil else { throw Self.unknown }
            guard try AccountTable.count(home: code, db) == 0 else {
                throw APIError(.notEmpty, "the region is somebody's home; drain it, and let them choose another first")
            }
            try RegionTable.delete(code: code, db)
            try note("removed \(code)", actor, origin, now, db)
        }
    }

    private func save(
        _ region: RegionRecord,
        _ what: String,
        _ actor: Caller,
        _ origin: Origin,
        _ db: borrowing Connection
    ) throws {
        guard try RegionTable.save(region, db) else {
            throw APIError(.alreadyExists, "another region has this files URL: tokens for one would do for the other")
        }
        try note(what, actor, origin, time.wall, db)
    }

    private func note(
        _ what: String,
        _ actor: Caller,
        _ origin: Origin,
        _ now: Timestamp,
        _ db: borrowing Connection
    ) throws {
        try AuditTable.add(
            .region,
            .done,
            account: nil,
            actor: actor.account.id,
            detail: what,
            from: origin,
            at: now,
            db
        )
    }

    private static var unknown: APIError { .notFound("there is no such region") }
}
