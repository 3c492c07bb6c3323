import DaleksAPI
import DaleksCore
import DaleksHTTP
import DaleksHTTPServer
import DaleksJSON
import DaleksSQLite
import DaleksSystem
import DaleksTestSupport
import Glibc
import Testing

@testable import DaleksFiles

/// Leases, in the store: who has one, who waits, and when it is over.
@Suite(.bothDatabases)
struct LeaseTests {
    private struct Scene {
        let region: TestRegion
        let user: UserID
        let device: TestDevice
        let file: NodeID
        let here: LeaseHolder
        let there: LeaseHolder

        init() throws {
            region = try TestRegion()
            device = try TestDevice(region)
            user = device.owner
            file = try device.make("locked")
            here = LeaseHolder(user: user, device: .random(at: .zero))
            there = LeaseHolder(user: user, device: .random(at: .zero))
        }

        func take(
            _ mode: LeaseMode,
            _ holder: LeaseHolder,
            on node: NodeID? = nil,
            kept: Duration = .seconds(20)
        ) throws -> TreeStore.LeaseOutcome<TreeStore.LeaseAnswer> {
            try region.store.takeLease(mode, on: node ?? file, by: holder, wishKept: kept)
        }

        func giveBack(_ lease: LeaseRecord, _ holder: LeaseHolder) throws -> Set<LeaseHolder> {
            try region.store.returnLease(lease.number, on: lease.node, by: holder).told
        }
    }

    @Test func `one device has an exclusive lease, and the other asks for it`() throws {
        let scene = try Scene()

        let first = try #require(try scene.take(.exclusive, scene.here).given)
        let second = try scene.take(.exclusive, scene.there)

        #expect(first.node == scene.file && first.mode == .exclusive && first.seconds <= 30)
        #expect(second.value.given == nil && second.told == [scene.here])
        #expect(try scene.region.store.recalledLeases(of: scene.here)?.map(\.place.node) == [scene.file])
        #expect(try scene.giveBack(first, scene.here) == [scene.there])
        let third = try #require(try scene.take(.exclusive, scene.there).given)
        #expect(third.number > first.number)
        #expect(try scene.region.store.recalledLeases(of: scene.there)?.isEmpty == true)
    }

    @Test func `readers share a lease, and a writer has all of them back`() throws {
        let scene = try Scene()

        _ = try #require(try scene.take(.shared, scene.here).given)
        let other = try #require(try scene.take(.shared, scene.there).given)
        let stronger = try scene.take(.exclusive, scene.here)

        #expect(stronger.value.given == nil && stronger.told == [scene.there])
        #expect(try scene.giveBack(other, scene.there) == [scene.here])
        #expect(try #require(try scene.take(.exclusive, scene.here).given).mode == .exclusive)
        // Who came later waits, also for what does not exclude what is held.
        #expect(try scene.take(.shared, scene.there).value.given == nil)
    }

    @Test func `who asked first comes first, unless nobody waits there any more`() throws {
        let scene = try Scene()
        let third = LeaseHolder(user: scene.user, device: .random(at: .zero))
        let held = try #require(try scene.take(.exclusive, scene.here).given)
        _ = try scene.take(.exclusive, scene.there, kept: .seconds(5))
        scene.region.clock.advance(by: .seconds(1))

        _ = try scene.giveBack(held, scene.here)
        #expect(try scene.take(.exclusive, third).value.given == nil)
        #expect(try scene.take(.exclusive, scene.here).value.given == nil)
        scene.region.clock.advance(by: .seconds(5))

        #expect(try scene.take(.exclusive, third).value.given != nil)
    }

    @Test func `a lease ends by itself unless it is renewed, and its number is no good after that`() throws {
        let scene = try Scene()
        let held = try #require(try scene.take(.exclusive, scene.here).given)

        scene.region.clock.advance(by: .seconds(20))
        let renewal = LeaseWatch.Held(node: scene.file, number: held.number)
        #expect(try scene.region.store.renewLeases([renewal], by: scene.here).value == [])
        scene.region.clock.advance(by: .seconds(20))
        #expect(try scene.take(.exclusive, scene.there).value.given == nil)
        scene.region.clock.advance(by: .seconds(11))
        let next = try #require(try scene.take(.exclusive, scene.there).given)

        #expect(try scene.region.store.renewLeases([renewal], by: scene.here).value == [scene.file])
        #expect(try scene.giveBack(held, scene.here) == [])
        #expect(try scene.take(.exclusive, scene.here).value.given == nil)
        #expect(next.number > held.number)
    }

    @Test func `asking again gives the same lease for longer`() throws {
        let scene = try Scene()
        let held = try #require(try scene.take(.exclusive, scene.here).given)
        scene.region.clock.advance(by: .seconds(25))

        let again = try #require(try scene.take(.shared, scene.here).given)

        #expect((again.number, again.mode) == (held.number, .exclusive))
        scene.region.clock.advance(by: .seconds(25))
        #expect(try scene.take(.shared, scene.there).value.given == nil)
    }

    @Test func `who holds locks says so, and who will not wait hears it`() throws {
        let scene = try Scene()
        let held = try #require(try scene.take(.exclusive, scene.here).given)
        _ = try scene.take(.exclusive, scene.there)

        let used = LeaseWatch.Held(node: scene.file, number: held.number, isUsed: true)
        let told = try scene.region.store.renewLeases([used], by: scene.here).told

        #expect(told == [scene.there])
        #expect(try scene.take(.exclusive, scene.there).value.isUsed == true)
        #expect(try scene.region.store.renewLeases([used], by: scene.here).told == [])
    }

    @Test func `who may read shares, who may change excludes, and what is hidden is as if it were not there`() throws {
        let scene = try Scene()
        let guest = LeaseHolder(user: .random(at: .zero), device: .random(at: .zero))
        _ = try #require(try scene.take(.exclusive, scene.here).given)

        // A lease of a stranger's is on something else, whatever it is called.
        let unknown = NodeID.random(at: .zero)
        #expect(try scene.take(.exclusive, guest).value.given != nil)
        #expect(try scene.take(.exclusive, guest, on: unknown).value.given != nil)
        let request = GrantRequest(rights: [.read])
        _ = try scene.region.store.grant(request, to: guest.user, on: scene.file, by: scene.user)
        #expect(throws: APIError.self) { try scene.take(.exclusive, guest) }
        #expect(try scene.take(.shared, guest).told == [scene.here])
        _ = try scene.region.store.grant(
            GrantRequest(rights: [.read, .update]),
            to: guest.user,
            on: scene.file,
            by: scene.user
        )
        #expect(try scene.take(.exclusive, guest).told == [scene.here])
        #expect(throws: APIError.self) { try scene.take(.shared, scene.here, on: scene.device.root) }
    }

    @Test func `a lease taken before the file was made is one on the file`() throws {
        let scene = try Scene()
        let (creation, id) = try scene.device.creation("new")

        let early = try #require(try scene.take(.exclusive, scene.here, on: id).given)
        try scene.device.run(creation)

        #expect(try scene.take(.exclusive, scene.there, on: id).told == [scene.here])
        let renewal = LeaseWatch.Held(node: id, number: early.number)
        #expect(try scene.region.store.renewLeases([renewal], by: scene.here).value == [])
    }

    @Test func `a device has leases on so many files and no more, and old ones are forgotten`() throws {
        let scene = try Scene()
        let tree = try scene.region.store.tree(of: scene.user).number
        try scene.region.store.write { db in
            for number in 0..<Limits.Wire.leaseCountMax {
                try LeaseTable.save(
                    LeaseTable.Lease(
                        place: LeaseTable.Place(tree: tree, node: .random(at: .zero)),
                        holder: scene.here,
                        number: Int64(number),
                        mode: .exclusive,
                        isUsed: false,
                        expires: scene.region.clock.source.wall + Limits.Files.leaseTerm
                    ),
                    db
                )
            }
        }

        let error = #expect(throws: APIError.self) { try scene.take(.exclusive, scene.here) }
        #expect(error?.code == .conflict)
        scene.region.clock.advance(by: .seconds(31))
        #expect(try scene.take(.exclusive, scene.here).value.given != nil)
        try scene.region.collector().collect()
        let count = try scene.region.store.read { db in
            try db.first("SELECT count(*) FROM leases") { try $0.int64(0) }
        }
        #expect(count == 1)
    }
}

/// Leases over HTTP: who waits is told when it is time.
@Suite(.bothDatabases)
struct LeaseSurfaceTests {
    private static func text(_ device: DeviceID, _ mode: LeaseMode, wait: Int) -> [UInt8] {
        LeaseRequest(device: device, mode: mode, waitSeconds: wait).jsonBytes
    }

    @Test func `a recall reaches the holder who waits for news, and the lease who waits for it`() throws {
        let region = try TestRegion()
        let surfaces = try TestSurfaces(region)
        let device = try TestDevice(region)
        let (owner, file) = (device.owner, try device.make("locked"))
        let (here, there) = (DeviceID.random(at: .zero), DeviceID.random(at: .zero))
        let path = Routes.Files.lease(on: file)
        let lease: LeaseRecord = try surfaces.send(
            .post,
            path,
            as: owner,
            Self.text(here, .exclusive, wait: 0)
        ).json()
        let watch = LeaseWatch(device: here, held: [.init(node: file, number: lease.number)], waitSeconds: 30)
        let news = Condition<LeaseNews?>(nil)
        let taken = Condition<LeaseRecord?>(nil)

        let watcher = Thread(name: "watcher") {
            let answer = try? surfaces.send(.post, Routes.Files.leases, as: owner, watch.jsonBytes)
            news.withLock { $0 = try? answer?.json() }
            news.signal()
        }
        let isParked = (0..<5_000).contains { _ in
            usleep(1_000)
            return region.leases.waiterCount > 0
        }
        try #require(isParked, "nobody waits for news")
        let taker = Thread(name: "taker") {
            let answer = try? surfaces.send(.post, path, as: owner, Self.text(there, .exclusive, wait: 30))
            taken.withLock { $0 = try? answer?.json() }
            taken.signal()
        }

        #expect(news.wait(timeout: .seconds(5)) { $0 }?.recalled == [file])
        #expect(
            try surfaces.send(
                .delete,
                Routes.Files.lease(lease.number, of: here, on: file),
                as: owner
            ).status == 204
        )
        #expect(taken.wait(timeout: .seconds(5)) { $0 }?.number == lease.number + 2)
        watcher.join()
        taker.join()
    }

    @Test func `what is wanted of a lease that was had again is news`() throws {
        let region = try TestRegion()
        let surfaces = try TestSurfaces(region)
        let device = try TestDevice(region)
        let (owner, file) = (device.owner, try device.make("locked"))
        let (here, there) = (DeviceID.random(at: .zero), DeviceID.random(at: .zero))
        let path = Routes.Files.lease(on: file)
        let first: LeaseRecord = try surfaces.send(.post, path, as: owner, Self.text(here, .exclusive, wait: 0)).json()
        _ = try surfaces.send(.delete, Routes.Files.lease(first.number, of: here, on: file), as: owner)
        let again: LeaseRecord = try surfaces.send(.post, path, as: owner, Self.text(here, .exclusive, wait: 0)).json()
        #expect(try surfaces.send(.post, path, as: owner, Self.text(there, .exclusive, wait: 0)).status == 423)

        let board = region.leases.leases
        let holder = LeaseHolder(user: owner, device: here)
        let later = TimeSource.system.now + .seconds(10)
        let known = try board.look(.watch(known: [file: again.number]), by: holder, until: later).verdict
        let news = try board.look(.watch(known: [file: first.number]), by: holder, until: later).verdict

        if case .answer = known { Issue.record("what is known was told") }
        if case .waits = news { Issue.record("what is new was not told") }
    }

    @Test func `who will not wait is refused at once, and a scope that only reads takes no exclusive lease`() throws {
        let region = try TestRegion()
        let surfaces = try TestSurfaces(region)
        let owner = try TestDevice(region)
        let path = Routes.Files.lease(on: try owner.make("locked"))
        let body = Self.text(.random(at: .zero), .exclusive, wait: 0)
        #expect(try surfaces.send(.post, path, as: owner.owner, body).status == 200)

        let refused = try surfaces.send(.post, path, as: owner.owner, Self.text(.random(at: .zero), .shared, wait: 0))

        #expect(refused.status == 423 && refused.member("code") == "locked")
        #expect(refused.fields["Retry-After"] == "1")
        #expect(try surfaces.send(.post, path, as: nil, body).status == 401)
        #expect(try surfaces.send(.post, path, as: owner.owner, Array("{}".utf8)).status == 400)
    }
}

extension TreeStore.LeaseOutcome<TreeStore.LeaseAnswer> {
    fileprivate var given: LeaseRecord? { value.given }
}

extension TreeStore.LeaseAnswer {
    fileprivate var given: LeaseRecord? {
        if case .given(let lease) = self { lease } else { nil }
    }

    fileprivate var isUsed: Bool? {
        if case .taken(let isUsed, _) = self { isUsed } else { nil }
    }
}
