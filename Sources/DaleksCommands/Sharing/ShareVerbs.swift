import DaleksAPI
import DaleksClient
import DaleksCore
import DaleksJSON
import DaleksSystem

enum ShareVerb: Verb {
    static let name = "share"
    static let about = "Gives somebody rights on a file, or on a folder and all that is in it."
    static let positionals: String? = "PATH WHO"
    static let options = [
        Option(
            "can",
            .text(placeholder: "RIGHTS"),
            default: "read",
            help: "Some of read, write (add to a folder), update (change what is there), delete and share (give rights "
                + "to others), with commas between. What WHO had on this very PATH is replaced."
        ),
        Call.expiryOption,
    ]
    static let examples: KeyValuePairs = [
        "daleks share ~/daleks/photos bob@example.com": "Bob may look",
        "daleks share daleks:/plans bob --can read,write,update --expires 30d": "Bob, by his handle, works with us",
    ]

    static func run(_ call: Call) throws(CommandFailure) {
        let words = call.settings.positionals
        let text = call.settings.text("can")
        guard let rights = Rights(text), !rights.isEmpty else {
            throw .usage("--can: \(text) is not a list of \(Rights.words.joined(separator: ", "))")
        }
        let expires = try call.expiry()
        let place = try RemotePaths(call).place(words[0])
        let node = try place.node()
        let user = try People(session: place.session).find(words[1])
        if user == node.owner { throw .failed("\(words[1]) owns \(place.text), and may do everything with it") }
        let grant = try place.asking { () throws(ClientFailure) in
            try place.files.grant(GrantRequest(rights: rights, expires: expires), to: user, on: node.id)
        }
        let end = grant.expires.map { ", until \(Shown.time($0))" } ?? ""
        call.answer("\(words[1]) may \(grant.rights) \(place.text)\(end).", JSONObject([("grant", .of(grant))]))
    }
}

enum UnshareVerb: Verb {
    static let name = "unshare"
    static let about = "Takes back what somebody was given on a file or folder."
    static let positionals: String? = "PATH WHO"
    static let options: [Option] = []
    static let examples: KeyValuePairs = [
        "daleks unshare ~/daleks/photos bob@example.com": "Bob sees it no more",
        "daleks unshare node:01a2... me": "leaves what somebody shared with you; `daleks shared` lists it",
    ]

    static func run(_ call: Call) throws(CommandFailure) {
        let words = call.settings.positionals
        let place = try RemotePaths(call).place(words[0])
        let node = try place.node()
        let own = place.session.credentials.user.id
        let user = words[1] == "me" ? own : try People(session: place.session).find(words[1])
        try place.asking { () throws(ClientFailure) in try place.files.revoke(from: user, on: node.id) }
        call.answer(
            "\(words[1]) has nothing on \(place.text) any more, unless a folder above is shared; see `daleks who`.",
            JSONObject([("node", .string("\(node.id)")), ("user", .string("\(user)"))])
        )
    }
}

enum WhoVerb: Verb {
    static let name = "who"
    static let about = "Tells who may do what with a file or folder, and why."
    static let positionals: String? = "PATH"
    static let options: [Option] = []
    static let examples: KeyValuePairs = ["daleks who ~/daleks/photos": "grants, and what you may do yourself"]

    static func run(_ call: Call) throws(CommandFailure) {
        let place = try RemotePaths(call).place(call.settings.positionals[0])
        let node = try place.node()
        let access = try place.asking { () throws(ClientFailure) in try place.files.access(to: node.id) }
        var grants: [Grant] = []
        if access.isOwner || access.rights.contains(.share) {
            grants = try place.asking { () throws(ClientFailure) in try place.files.grants(on: node.id) }
        }
        let names = People(session: place.session).names(of: grants.map(\.user) + [access.owner])
        if call.settings.flag("json") {
            return call.console.say(
                JSONObject([
                    ("node", .string("\(node.id)")), ("access", .of(access)),
                    ("grants", .array(grants.map { .of($0) })),
                    ("names", .object(JSONObject(names.map { ("\($0.key)", .string($0.value)) }))),
                ])
            )
        }
        call.console.say(text(place.text, access, grants, names))
    }

    private static func text(
        _ path: String,
        _ access: AccessRecord,
        _ grants: [Grant],
        _ names: [UserID: String]
    ) -> String {
        var lines = ["\(path): \(access.visibility.rawValue)"]
        lines.append("owner: \(names[access.owner] ?? "\(access.owner)")")
        lines.append("you may: \(access.rights)")
        lines += access.why.map { "  because \($0)" }
        for grant in grants {
            let end = grant.expires.map { ", until \(Shown.time($0))" } ?? ""
            lines.append("\(names[grant.user] ?? "\(grant.user)") may: \(grant.rights)\(end)")
        }
        return lines.joined(separator: "\n")
    }
}

enum PublicVerb: Verb {
    static let name = "public"
    static let about = "Publishes a file or folder for everybody who knows its address, or takes that back."
    static let positionals: String? = "PATH on|off"
    static let options: [Option] = []
    static let examples: KeyValuePairs = [
        "daleks public ~/daleks/paper.pdf on": "prints the address, which stays the same",
        "daleks public ~/daleks/paper.pdf off": "private again; who was given rights keeps them",
    ]

    static func run(_ call: Call) throws(CommandFailure) {
        let words = call.settings.positionals
        guard words[1] == "on" || words[1] == "off" else { throw .usage("say on or off, and not \(words[1])") }
        let isOn = words[1] == "on"
        let place = try RemotePaths(call).place(words[0])
        let node = try place.node()
        _ = try place.asking { () throws(ClientFailure) in try place.files.publish(node.id, isOn) }
        let url = "\(place.files.url)/p/\(node.id)"
        var object = JSONObject([("node", .string("\(node.id)")), ("public", .bool(isOn))])
        if isOn { object["url"] = .string(url) }
        call.answer(isOn ? url : "\(place.text) is not public any more.", object)
    }
}

enum SharedVerb: Verb {
    static let name = "shared"
    static let about = "Lists what others share with you, and what you share with others."
    static let options = [
        Option("with-me", .flag, help: "Only what others share."), Option("by-me", .flag, help: "Only what you share."),
    ]
    static let examples: KeyValuePairs = ["daleks shared": "both", "daleks shared --with-me --json": "for a script"]

    static func run(_ call: Call) throws(CommandFailure) {
        let session = try RemotePaths(call).own()
        let (withMe, byMe) = (call.settings.flag("with-me"), call.settings.flag("by-me"))
        let received = byMe && !withMe ? [] : try received(session, call)
        let given = withMe && !byMe ? [] : try given(session)
        if call.settings.flag("json") {
            return call.console.say(
                JSONObject([
                    ("with_me", .array(received.map(\.json))), ("by_me", .array(given.map { .of($0) })),
                ])
            )
        }
        let people = received.map(\.item.node.owner) + given.flatMap { $0.grants.map(\.user) }
        let names = People(session: session).names(of: people)
        for received in received {
            let node = received.item.node
            let owner = names[node.owner] ?? "\(node.owner)"
            // As paths of the kind `node:…` have it.
            let place = received.region == session.credentials.region.code ? "" : "\(received.region)/"
            call.console.say("with you\t\(received.item.name)\t\(owner)\t\(node.rights ?? [])\t\(place)\(node.id)")
        }
        for item in given {
            let whom = item.grants.map { "\(names[$0.user] ?? "\($0.user)") (\($0.rights))" }
            let all = (item.node.visibility == .public ? ["everybody (read)"] : []) + whom
            call.console.say("by you\t\(item.path)\t\(all.joined(separator: ", "))")
        }
    }

    /// What somebody shares, and in which region.
    private struct Received {
        var item: SharedItem
        var region: String

        var json: JSONValue {
            guard case .object(var object) = JSONValue.of(item) else { return .null }
            object["region"] = .string(region)
            return .object(object)
        }
    }

    /// Of all regions: others are at home elsewhere. One that does not answer is named, and keeps nothing back of what
    /// is in the account's own.
    private static func received(_ session: AccountSession, _ call: Call) throws(CommandFailure) -> [Received] {
        let own = session.credentials.region.code
        do throws(ClientFailure) {
            var all = try received(session.files, own)
            let others: [RegionRecord]
            do throws(ClientFailure) { others = try session.regions() } catch {
                call.console.complain("daleks shared: what is shared in other regions is not known: \(error)")
                return all
            }
            for region in others where region.code != own {
                do throws(ClientFailure) { all += try received(session.files(of: region), region.code) } catch {
                    call.console.complain(
                        "daleks shared: what is shared in region \(region.code) is not known: \(error)"
                    )
                }
            }
            return all
        } catch { throw CommandFailure(error) }
    }

    private static func received(_ files: FilesClient, _ region: String) throws(ClientFailure) -> [Received] {
        var (items, next): ([Received], NodeID?) = ([], nil)
        repeat {
            let page = try files.sharedWithMe(after: next)
            items += page.items.map { Received(item: $0, region: region) }
            next = page.next
        } while next != nil
        return items
    }

    private static func given(_ session: AccountSession) throws(CommandFailure) -> [SharedByMe.Item] {
        var (items, next): ([SharedByMe.Item], NodeID?) = ([], nil)
        repeat {
            do throws(ClientFailure) {
                let page = try session.files.sharedByMe(after: next)
                items += page.items
                next = page.next
            } catch { throw CommandFailure(error) }
        } while next != nil
        return items
    }
}

extension JSONValue {
    /// What something is on the wire.
    static func of(_ thing: some JSONEncodable) -> JSONValue { (try? JSONValue.parse(thing.jsonBytes)) ?? .null }
}
