import DaleksAPI
import DaleksCore
import DaleksCrypto
import DaleksHTTP
import DaleksSystem
import DaleksTestSupport
import Testing

@testable import DaleksFiles

/// Who × right × where it was granted × public × operation × surface, each cell asked of the service and of a model
/// that knows nothing of the service's code.
struct PermissionMatrixTests {
    enum Who: CaseIterable { case owner, grantee, stranger, nobody }

    /// Where the grant stands, seen from the folder that is worked in.
    enum Place: CaseIterable { case folder, parent, grandparent, root, beside }

    enum Verdict: Equatable { case allowed, refused, hidden }

    /// The table of docs/wire.md, once more.
    enum Need {
        case read, add, change, remove, share
        /// Being the owner, which no grant makes anybody.
        case own
        case readAnd([Need])

        func isMet(by rights: Set<String>) -> Bool {
            switch self {
            case .read: rights.contains("read")
            case .add: rights.contains("write") || rights.contains("update")
            case .change: rights.contains("update")
            case .remove: rights.contains("delete")
            case .share: rights.contains("share")
            case .own: rights.contains("own")
            case .readAnd(let others): rights.contains("read") && others.allSatisfy { $0.isMet(by: rights) }
            }
        }
    }

    struct Fixture {
        let folder: NodeID
        let target: NodeID
        let files: [NodeID]
        let content: Revision
        let grantPlace: NodeID
    }

    final class Bench {
        let region: TestRegion
        let surfaces: TestSurfaces
        let owner: TestDevice
        let guest: TestDevice
        var cells = 0
        var mismatches: [String] = []

        init() throws {
            region = try TestRegion()
            surfaces = try TestSurfaces(region)
            owner = try TestDevice(region)
            guest = try TestDevice(region)
        }

        /// A chain of folders, in the last of them files for every operation to use up.
        func makeFixture(_ place: Place) throws -> Fixture {
            let bench = try owner.make("\(Random.word())", .folder)
            let parent = try owner.make("parent", .folder, in: bench)
            let folder = try owner.make("folder", .folder, in: parent)
            let beside = try owner.make("beside", .folder, in: bench)
            let target = try owner.make("target", .folder, in: folder)
            var (mutations, files): ([Mutation], [NodeID]) = ([], [])
            for number in 0..<14 {
                let (creation, id) = try owner.creation("f\(number)", in: folder)
                mutations.append(creation)
                files.append(id)
            }
            _ = try owner.run(mutations)
            let commit = owner.commit(Array("content".utf8), to: files[0], base: .content(0))
            guard let first = try owner.run(commit).content else { throw TestFailure("no content") }
            guard let second = try owner.run(owner.commit([1], to: files[0], base: .content(first))).content else {
                throw TestFailure("no content")
            }
            let grantPlace =
                switch place {
                case .folder: folder
                case .parent: parent
                case .grandparent: bench
                case .root: owner.root
                case .beside: beside
                }
            return Fixture(folder: folder, target: target, files: files, content: second, grantPlace: grantPlace)
        }

        func check(_ what: String, _ expected: Verdict, _ actual: Verdict) {
            cells += 1
            if expected != actual { mismatches.append("\(what): expected \(expected), was \(actual)") }
        }

        func verdict(_ status: Int) -> Verdict {
            switch status {
            case 200..<300: .allowed
            case 401, 404: .hidden
            case 403: .refused
            default: .refused
            }
        }

        func verdict(_ outcome: OperationResult.Outcome) -> Verdict {
            switch outcome {
            case .done: .allowed
            case .conflict(.missing, _): .hidden
            default: .refused
            }
        }
    }

    /// Whether every set of rights is tried at every place, which are more than six thousand cells: with
    /// `DALEKS_ROUNDS` set.
    static let isLong = Environment.current["DALEKS_ROUNDS"] != nil

    /// Every subset of the five rights; in the short form none, each alone, all but each, and all: what one right more
    /// or less does is seen for each.
    static let rightSets = allRightSets.filter { isLong || [0, 1, 4, 5].contains($0.rawValue.nonzeroBitCount) }
    private static let allRightSets: [Rights] = (0..<32).map { Rights(rawValue: UInt8($0)) }

    @Test(arguments: Place.allCases)
    func `the service decides each cell as the model does`(place: Place) throws {
        let bench = try Bench()
        for isPublic in [false, true] {
            // What public adds does not depend on much of what was granted.
            for rights in Self.rightSets where !isPublic || rights.rawValue % 5 == 0 {
                let fixture = try bench.makeFixture(place)
                if !rights.isEmpty {
                    _ = try bench.region.store.grant(
                        GrantRequest(rights: rights),
                        to: bench.guest.owner,
                        on: fixture.grantPlace,
                        by: bench.owner.owner
                    )
                }
                if isPublic {
                    let request = VisibilityRequest(isPublic: true)
                    _ = try bench.region.store.setVisibility(request, of: fixture.folder, by: bench.owner.owner)
                }
                var effective = Set(place == .beside ? [] : rights.words)
                if isPublic { effective.insert("read") }
                try ask(bench, fixture, effective, as: bench.guest, "grantee \(rights) at \(place), public \(isPublic)")
                if place == .root, !rights.isEmpty {
                    _ = try bench.region.store.revoke(bench.guest.owner, on: fixture.grantPlace, by: bench.guest.owner)
                }
            }
            for who in [Who.owner, .stranger] {
                let fixture = try bench.makeFixture(place)
                if isPublic {
                    let request = VisibilityRequest(isPublic: true)
                    _ = try bench.region.store.setVisibility(request, of: fixture.folder, by: bench.owner.owner)
                }
                let device = who == .owner ? bench.owner : try TestDevice(bench.region)
                let rights: Set<String> = who == .owner ? Set(Rights.words + ["own"]) : isPublic ? ["read"] : []
                try ask(bench, fixture, rights, as: device, "\(who), public \(isPublic)")
                try askNobody(bench, fixture, isPublic: isPublic)
            }
        }
        #expect(bench.mismatches.isEmpty, "\(bench.mismatches.prefix(20).joined(separator: "\n"))")
        // Five places: more than five thousand cells in all in the long form.
        #expect(bench.cells > (Self.isLong ? 1_150 : 450))
        print("permission cells at \(place): \(bench.cells)")
    }

    private func expected(_ need: Need, _ rights: Set<String>) -> Verdict {
        if rights.isEmpty { return .hidden }
        return need.isMet(by: rights) ? .allowed : .refused
    }

    private func ask(
        _ bench: Bench,
        _ fixture: Fixture,
        _ rights: Set<String>,
        as device: TestDevice,
        _ who: String
    ) throws {
        let (folder, files) = (fixture.folder, fixture.files)
        func sync(_ what: String, _ need: Need, _ mutation: Mutation) throws {
            bench.check("sync \(what) by \(who)", expected(need, rights), bench.verdict(try device.run(mutation)))
        }
        func rename(_ from: Int, _ to: String, in parent: NodeID, over: NodeID? = nil) -> Mutation {
            .rename(
                .init(
                    parent: folder,
                    name: name("f\(from)"),
                    node: files[from],
                    toParent: parent,
                    toName: name(to),
                    replaces: over,
                    isExchange: false,
                    time: moment
                )
            )
        }
        try sync("create", .add, try device.creation("new", in: folder).0)
        try sync("mkdir", .add, try device.creation("newdir", .folder, in: folder).0)
        try sync("attributes", .change, .attributes(.init(node: files[1], mode: 0o600, time: moment)))
        try sync("commit", .change, device.commit([7], to: files[2], base: .content(0)))
        try sync("rename within", .change, rename(3, "r3", in: folder))
        try sync("rename over", .change, rename(4, "f5", in: folder, over: files[5]))
        if rights.isEmpty || !(Need.remove.isMet(by: rights)) || Need.add.isMet(by: rights) {
            try sync("move out", .remove, rename(6, "m6", in: fixture.target))
        }
        try sync("remove", .remove, .remove(parent: folder, name: name("f7"), node: files[7], time: moment))
        if rights.isEmpty || !Need.share.isMet(by: rights) || Need.add.isMet(by: rights) {
            let link = Mutation.link(parent: folder, name: name("link"), node: files[1], time: moment)
            let may = Need.share.isMet(by: rights) && Need.add.isMet(by: rights)
            let verdict: Verdict = rights.isEmpty ? .hidden : may ? .allowed : .refused
            bench.check("sync link by \(who)", verdict, bench.verdict(try device.run(link)))
        }

        func http(
            _ what: String,
            _ need: Need,
            _ method: HTTPMethod,
            _ path: String,
            _ body: String = "",
            fields: [(String, String)] = []
        ) throws {
            let answer = try bench.surfaces.send(method, path, as: device.owner, Array(body.utf8), fields: fields)
            bench.check("http \(what) by \(who)", expected(need, rights), bench.verdict(answer.status))
        }
        let node = "/v1/nodes/\(files[0])"
        try http("node", .read, .get, node)
        try http("access", .read, .get, "\(node)/access")
        try http("path", .read, .get, "\(node)/path")
        try http("children", .read, .get, "/v1/nodes/\(folder)/children")
        try http("manifest", .read, .get, "\(node)/content/\(fixture.content)")
        try http("span", .read, .get, "\(node)/content/\(fixture.content)/spans/0")
        try http("content", .read, .get, "\(node)/content")
        try http("versions", .read, .get, "\(node)/versions")
        try http("zip", .read, .get, "/v1/nodes/\(folder)/zip")
        try http("public page", .read, .get, "/v1/nodes/\(folder)")
        try http("grants", .share, .get, "\(node)/grants")
        try http("put", .readAnd([.change]), .put, "/v1/nodes/\(files[8])/content", "bytes")
        try http("patch", .readAnd([.change]), .patch, "/v1/nodes/\(files[9])", #"{"mode":384}"#)
        try http("rename", .readAnd([.change]), .patch, "/v1/nodes/\(files[10])", #"{"name":"renamed"}"#)
        try http("delete", .readAnd([.remove]), .delete, "/v1/nodes/\(files[11])")
        try http("mkdir", .add, .post, "/v1/nodes/\(folder)/children", #"{"name":"http","kind":"folder"}"#)
        try http("copy", .readAnd([.add]), .post, "\(node)/copy", #"{"to_parent":"\#(folder)","name":"copy"}"#)
        let third = UserID.random(at: .zero)
        if rights.isEmpty || !Need.share.isMet(by: rights) || Need.read.isMet(by: rights) {
            try http("grant", .share, .put, "/v1/nodes/\(files[12])/grants/\(third)", #"{"rights":["read"]}"#)
        }
        try http("link", .share, .post, "/v1/nodes/\(files[12])/links", #"{"kind":"view"}"#)
        try http("sign", .readAnd([.share]), .post, "\(node)/signed-urls", #"{"expires_in":60}"#)
        try http("transfer", .own, .post, "/v1/nodes/\(files[12])/transfer", #"{"to":"\#(third)"}"#)
        try http("publish", .share, .put, "/v1/nodes/\(files[13])/visibility", #"{"visibility":"public"}"#)
    }

    private func askNobody(_ bench: Bench, _ fixture: Fixture, isPublic: Bool) throws {
        let reading: Verdict = isPublic ? .allowed : .hidden
        for path in [
            "/p/\(fixture.folder)", "/p/\(fixture.files[0])", "/p/\(fixture.folder)/f0", "/p/\(fixture.target)",
        ] {
            let answer = try bench.surfaces.send(.get, path, as: nil)
            bench.check("nobody \(path), public \(isPublic)", reading, bench.verdict(answer.status))
        }
        for (method, path): (HTTPMethod, String) in [
            (.get, "/v1/nodes/\(fixture.files[0])"), (.put, "/v1/nodes/\(fixture.files[0])/content"),
            (.delete, "/v1/nodes/\(fixture.files[0])"), (.post, "/v1/mutations"),
        ] {
            let answer = try bench.surfaces.send(method, path, as: nil)
            bench.check("nobody \(method) \(path)", .hidden, bench.verdict(answer.status))
        }
        for method: HTTPMethod in [.put, .post, .delete, .patch] {
            let answer = try bench.surfaces.send(method, "/p/\(fixture.files[0])", as: nil)
            bench.check("nobody \(method) public", .refused, answer.status == 405 ? .refused : .allowed)
        }
    }

    /// What links lead to: by kind, password, what became of them, and what their maker may still do.
    @Test func `links and signed URLs open what their maker could share, and nothing else`() throws {
        let bench = try Bench()
        let (store, visitors) = (bench.region.store, bench.surfaces.visitors)
        let fixture = try bench.makeFixture(.folder)
        func status(_ path: String) throws -> Int { try bench.surfaces.send(.get, path, as: nil).status }
        for rights in Self.allRightSets where rights.isSuperset(of: [.read, .share]) {
            for kind in LinkKind.allCases {
                for password in [nil, "secret"] {
                    for fate in ["alive", "expired", "revoked", "maker lost it", "maker reads only"] {
                        _ = try store.grant(
                            GrantRequest(rights: rights),
                            to: bench.guest.owner,
                            on: fixture.folder,
                            by: bench.owner.owner
                        )
                        // Hashing is slow on purpose: one link with a password for each kind is enough.
                        guard password == nil || rights == [.read, .share] else { continue }
                        let request = LinkRequest(
                            kind: kind,
                            password: password,
                            expires: bench.region.clock.source.wall + .seconds(60)
                        )
                        let link = try visitors.makeLink(request, to: fixture.folder, by: bench.guest.owner)
                        let url = try #require(link.url)
                        var ticket = ""
                        if password != nil {
                            let answer = try bench.surfaces.send(
                                .post,
                                url + "/open",
                                as: nil,
                                Array(#"{"password":"secret"}"#.utf8)
                            )
                            ticket = "?ticket=" + (try #require(answer.member("ticket")))
                            bench.check("link without ticket", .refused, bench.verdict(try status(url + "/content")))
                            bench.check(
                                "link with bad ticket",
                                .refused,
                                bench.verdict(try status(url + "/content?ticket=AAAA"))
                            )
                        }
                        var expected = Verdict.allowed
                        switch fate {
                        case "expired":
                            bench.region.clock.advance(by: .seconds(61))
                            expected = .hidden
                        case "revoked":
                            try visitors.revokeLink(link.id, by: bench.owner.owner)
                            expected = .hidden
                        case "maker lost it":
                            _ = try store.revoke(bench.guest.owner, on: fixture.folder, by: bench.owner.owner)
                            expected = .hidden
                        case "maker reads only":
                            _ = try store.grant(
                                GrantRequest(rights: [.read]),
                                to: bench.guest.owner,
                                on: fixture.folder,
                                by: bench.owner.owner
                            )
                            expected = .hidden
                        default: break
                        }
                        let what = "\(kind) link, \(rights), password \(password != nil), \(fate)"
                        bench.check(what, expected, bench.verdict(try status(url + "/content" + ticket)))
                        bench.check(what, expected, bench.verdict(try status(url + "/content/f0" + ticket)))
                        bench.check(
                            what + " elsewhere",
                            .hidden,
                            bench.verdict(try status(url + "/content/none" + ticket))
                        )
                        let archive: Verdict = expected == .hidden ? .hidden : kind == .download ? .allowed : .refused
                        bench.check(what + " zip", archive, bench.verdict(try status(url + "/zip" + ticket)))
                    }
                }
            }
        }
        #expect(bench.mismatches.isEmpty, "\(bench.mismatches.prefix(20).joined(separator: "\n"))")
        #expect(bench.cells > 300)
        print("link cells: \(bench.cells)")
    }
}
