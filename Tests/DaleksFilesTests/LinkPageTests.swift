import DaleksAPI
import DaleksCore
import DaleksHTTP
import DaleksSystem
import DaleksTestSupport
import Testing

@testable import DaleksFiles

/// What a browser shows of a link, and that programs get what they always got.
@Suite(.bothDatabases) struct LinkPageTests {
    private let region: TestRegion
    private let surfaces: TestSurfaces
    private let device: TestDevice

    init() throws {
        region = try TestRegion()
        surfaces = try TestSurfaces(region)
        device = try TestDevice(region)
    }

    private func put(_ path: String, _ text: String) throws {
        let answer = try surfaces.send(.put, "/v1/paths/\(path)", as: device.owner, Array(text.utf8))
        #expect(answer.status == 201)
    }

    private func link(_ path: String, _ json: String) throws -> String {
        let node = try surfaces.send(.get, "/v1/items/\(path)", as: device.owner).json(NodeRecord.self)
        let answer = try surfaces.send(.post, "/v1/nodes/\(node.id)/links", as: device.owner, Array(json.utf8))
        return try #require(try answer.json(LinkRecord.self).url)
    }

    private func browse(_ url: String) throws -> TestSurfaces.Answer {
        try surfaces.send(.get, url, as: nil, fields: [("Accept", "text/html,application/xhtml+xml,*/*;q=0.8")])
    }

    /// Where a relative address leads from a page.
    private func follow(_ href: String, from page: String) -> String {
        var parts = page.prefix { $0 != "?" }.split(separator: "/").dropLast().map(String.init)
        for part in href.split(separator: "/") where part != "." {
            if part == ".." { parts.removeLast() } else { parts.append(String(part)) }
        }
        return "/" + parts.joined(separator: "/")
    }

    private func hrefs(_ page: TestSurfaces.Answer) -> [String] {
        page.text.matches(of: /href="([^"]+)"/).map { String($0.1).replacing("&amp;", with: "&") }
    }

    @Test func `a file is offered, and programs are told of it as before`() throws {
        try put("<b>&.txt", "text")
        let url = try link("%3Cb%3E&.txt", #"{"kind":"download"}"#)

        let page = try browse(url)
        #expect(page.status == 200 && page.fields["Content-Type"] == "text/html; charset=utf-8")
        #expect(page.text.contains("<h1>&lt;b&gt;&amp;.txt</h1>") && page.text.contains("4 bytes"))
        #expect(page.fields["Content-Security-Policy"]?.hasPrefix("default-src 'none'; style-src 'sha256-") == true)
        #expect(page.fields["Referrer-Policy"] == "no-referrer" && page.fields["Cache-Control"] == "no-store")
        let target = follow(try #require(hrefs(page).first), from: url)
        #expect(try browse(target).body == Array("text".utf8))
        #expect(try surfaces.send(.get, url, as: nil).member("name") == "<b>&.txt")
    }

    @Test func `a folder is listed, with what is in its folders`() throws {
        for path in ["pictures", "pictures/deep", "pictures/empty"] {
            let json = Array(#"{"op":"mkdir"}"#.utf8)
            #expect(try surfaces.send(.post, "/v1/items/\(path)", as: device.owner, json).status < 300)
        }
        try put("pictures/a%20b:c.txt", "one")
        try put("pictures/deep/x.txt", "two")
        let url = try link("pictures", #"{"kind":"download"}"#)

        let page = try browse(url)
        let links = hrefs(page).map { follow($0, from: url) }
        #expect(links == ["zip", "content/a%20b%3Ac.txt", "content/deep", "content/empty"].map { "\(url)/\($0)" })
        #expect(try browse(links[0]).fields["Content-Type"] == "application/zip")
        #expect(try browse(links[1]).body == Array("one".utf8))
        let deep = try browse(links[2])
        let inner = follow(try #require(hrefs(deep).first), from: links[2])
        #expect(try browse(inner).body == Array("two".utf8))
        #expect(try browse(links[3]).text.contains("This folder is empty."))
        // To look at is not to take away.
        #expect(try !browse(try link("pictures", #"{"kind":"view"}"#)).text.contains("zip"))
    }

    @Test func `a password is asked for in a form, and what it opens stays open for a while`() throws {
        try put("secret.txt", "text")
        let url = try link("secret.txt", #"{"kind":"view","password":"open sesame+"}"#)
        func open(_ password: String) throws -> TestSurfaces.Answer {
            let form = [("Content-Type", "application/x-www-form-urlencoded")]
            return try surfaces.send(.post, url + "/open", as: nil, Array("password=\(password)".utf8), fields: form)
        }

        let question = try browse(url)
        #expect(question.status == 200 && question.text.contains("type=\"password\""))
        #expect(!question.text.contains("secret"))
        let wrong = try open("sesame")
        #expect(wrong.status == 403 && wrong.text.contains("the password is wrong"))
        let opened = try open("open+sesame%2B")
        #expect(opened.status == 303)
        let place = try #require(opened.fields["Location"])
        let ticket = try #require(place.split(separator: "?").last)
        #expect(follow(String(place.prefix { $0 != "?" }), from: url + "/open") == url)
        let page = try browse("\(url)?\(ticket)")
        #expect(page.text.contains("<h1>secret.txt</h1>"))
        let href = try #require(hrefs(page).first)
        #expect(try browse(follow(href, from: url)).body == Array("text".utf8))
        region.clock.advance(by: .seconds(3_601))
        #expect(try browse("\(url)?\(ticket)").text.contains("type=\"password\""))
    }

    @Test func `an ended link says so`() throws {
        try put("file", "text")
        let end = region.clock.source.wall + .seconds(60)
        let url = try link("file", #"{"kind":"view","expires":\#(end.nanoseconds)}"#)
        #expect(try browse(url).status == 200)
        region.clock.advance(by: .seconds(61))
        let page = try browse(url)
        #expect(page.status == 404 && page.text.contains("has ended or was revoked"))
        #expect(page.fields["Content-Type"] == "text/html; charset=utf-8")
    }
}
