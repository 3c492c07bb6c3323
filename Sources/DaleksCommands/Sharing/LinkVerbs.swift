import DaleksAPI
import DaleksClient
import DaleksCore
import DaleksJSON
import DaleksSystem

enum LinkVerb: Verb {
    static let name = "link"
    static let about = "Makes a link by which whoever has it can read a file or folder."
    static let positionals: String? = "PATH"
    static let options = [
        Call.expiryOption,
        Option("password", .flag, help: "Asks for a password that the link is to need."),
        Option("password-stdin", .flag, help: "Reads that password from standard input."),
        Option("view-only", .flag, help: "To be looked at in place; a folder is not to be had as an archive."),
        Option("downloads", .integer(1...1_000_000_000), help: "It ends after so many downloads."),
    ]
    static let examples: KeyValuePairs = [
        "daleks link ~/daleks/film.mp4 --expires 7d": "for a week",
        "daleks link daleks:/contract.pdf --password --downloads 1": "for one who knows the password, once",
    ]

    static func run(_ call: Call) throws(CommandFailure) {
        let expires = try call.expiry()
        let password = try password(call)
        let place = try RemotePaths(call).place(call.settings.positionals[0])
        let node = try place.node()
        let request = LinkRequest(
            kind: call.settings.flag("view-only") ? .view : .download,
            password: password,
            expires: expires,
            downloadsMax: call.settings.optionalText("downloads").flatMap { Int64($0) }
        )
        let link = try place.asking { () throws(ClientFailure) in try place.files.makeLink(request, to: node.id) }
        // Nobody is told it a second time.
        call.answer(link.url ?? "made link \(link.id)", JSONObject([("link", .of(link))]))
    }

    private static func password(_ call: Call) throws(CommandFailure) -> String? {
        let password: String
        if call.settings.flag("password-stdin") {
            guard let line = readLine(strippingNewline: true) else { throw .failed("standard input held no password") }
            password = line
        } else if call.settings.flag("password") {
            guard call.console.isInteractive else {
                throw .usage("give the password on standard input, with --password-stdin")
            }
            password = try call.console.promptSecretly("Password of the link:", call.interruption)
        } else {
            return nil
        }
        guard !password.isEmpty, password.utf8.count <= Limits.Wire.linkPasswordBytesMax else {
            throw .usage("a link's password has 1 to \(Limits.Wire.linkPasswordBytesMax) bytes")
        }
        return password
    }
}

enum LinksVerb: Verb {
    static let name = "links"
    static let about = "Lists the links that you made, or ends one."
    static let positionals: String? = "[PATH|revoke] [ID]"
    static let words = ["revoke"]
    static let options: [Option] = []
    static let examples: KeyValuePairs = [
        "daleks links": "all of them",
        "daleks links ~/daleks/film.mp4": "those to one file",
        "daleks links revoke 01a2...": "ends one at once",
    ]

    static func run(_ call: Call) throws(CommandFailure) {
        let words = call.settings.positionals
        let paths = RemotePaths(call)
        if words.first == "revoke" { return try revoke(words.dropFirst().first, paths, call) }
        guard words.count < 2 else { throw .usage("`links revoke ID` ends a link") }
        let links: [LinkRecord]
        let files: FilesClient
        if let text = words.first {
            let place = try paths.place(text)
            let node = try place.node()
            files = place.files
            links = try place.asking { () throws(ClientFailure) in try place.files.links(to: node.id) }
        } else {
            files = try paths.own().files
            links = try call.asking { () throws(ClientFailure) in try files.links(to: nil) }
        }
        if call.settings.flag("json") {
            return call.console.say(JSONObject([("links", .array(links.map { .of($0) }))]))
        }
        for link in links { call.console.say(line(link, files)) }
    }

    private static func line(_ link: LinkRecord, _ files: FilesClient) -> String {
        let path = (try? files.path(of: link.node)) ?? "\(link.node)"
        var facts = [
            link.kind.rawValue, "\(link.downloads)" + (link.downloadsMax.map { " of \($0)" } ?? "") + " downloads",
        ]
        if link.hasPassword { facts.append("password") }
        if let expires = link.expires { facts.append("until \(Shown.time(expires))") }
        return "\(link.id)\t\(path)\t\(facts.joined(separator: ", "))"
    }

    private static func revoke(_ text: String?, _ paths: RemotePaths, _ call: Call) throws(CommandFailure) {
        guard let text, let id = LinkID(text) else {
            throw .usage("say which link to end: an id that `daleks links` lists")
        }
        guard try end(id, try paths.own()) else {
            throw .failed("there is no link \(text); `daleks links` lists yours")
        }
        call.answer("The link leads nowhere any more.", JSONObject([("revoked", .string("\(id)"))]))
    }

    /// In the region where it is. False where none has it.
    private static func end(_ id: LinkID, _ session: AccountSession) throws(CommandFailure) -> Bool {
        do throws(ClientFailure) {
            var others: [FilesClient]?
            var files = session.files
            while true {
                do throws(ClientFailure) {
                    try files.revoke(id)
                    return true
                } catch {
                    guard error.code == "not_found" else { throw error }
                }
                if others == nil {
                    let own = session.credentials.region.code
                    others = try session.regions().filter { $0.code != own }.map { session.files(of: $0) }
                }
                guard let next = others?.popLast() else { return false }
                files = next
            }
        } catch { throw CommandFailure(error) }
    }
}
