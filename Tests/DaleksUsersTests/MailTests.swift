import DaleksAPI
import DaleksCore
import DaleksHTTP
import DaleksHTTPClient
import DaleksJSON
import DaleksSystem
import DaleksTestSupport
import Glibc
import Testing

@testable import DaleksUsers

/// A mail server that takes what it is given, or refuses as often as it was told to first.
final class MailSink: Sendable {
    let port: UInt16
    private let received = Lock<[String]>([])
    private let refusals: Lock<Int>
    private let listener: Lock<FileDescriptor?>
    private let raw: Int32

    init(refusing count: Int = 0) throws {
        let socket = try LoopbackSocket.listen()
        port = try LoopbackSocket.port(of: socket)
        raw = socket.raw
        listener = Lock(socket)
        refusals = Lock(count)
        _ = Thread(name: "mail-sink") { [weak self, raw] in
            while let connection = try? LoopbackSocket.accept(from: raw) {
                guard let self else { return }
                self.talk(connection)
            }
        }
    }

    deinit { shutdown(raw, Int32(SHUT_RDWR)) }

    /// The whole talk of each connection, as the client's side of it.
    var mails: [String] { received.withLock { $0 } }

    private func talk(_ connection: borrowing FileDescriptor) {
        let socket = connection.raw
        func say(_ line: String) {
            _ = Array((line + "\r\n").utf8).withUnsafeBytes { write(socket, $0.baseAddress, $0.count) }
        }
        var (talk, isData) = ("", false)
        var line: [UInt8] = []
        say("220 sink ESMTP")
        var byte: UInt8 = 0
        while read(socket, &byte, 1) == 1 {
            line.append(byte)
            guard byte == 10 else { continue }
            let text = String(decoding: line.dropLast(2), as: UTF8.self)
            line = []
            talk += text + "\n"
            if isData {
                if text == "." {
                    isData = false
                    say("250 taken")
                }
                continue
            }
            switch text.prefix(4).uppercased() {
            case "EHLO", "HELO": say("250 sink")
            case "RCPT":
                let isRefused = refusals.withLock { count in
                    count -= 1
                    return count >= 0
                }
                say(isRefused ? "451 try again later" : "250 yes")
            case "DATA":
                isData = true
                say("354 go on")
            case "QUIT":
                say("221 bye")
                received.withLock { $0.append(talk) }
                return
            default: say("250 yes")
            }
        }
    }
}

@Suite(.serialized)
struct MailTests {
    @Test func `mail goes to a mail server, again where it was refused, and dots stay dots`() throws {
        let sink = try MailSink(refusing: 1)
        let server = try required(MailServer(url: "smtp://127.0.0.1:\(sink.port)"))
        let clock = ManualClock()
        let service = try TestService(time: clock.source) { settings in
            settings.registration = .mail
            settings.mail = .server(server)
            settings.mailSender = "daleks@here.example"
        }
        defer { service.stop() }
        let body: JSONObject = [
            "email": "ann@example.com", "password": .string(TestService.password), "name": "Ann\u{e9}",
        ]

        #expect(try service.json(.post, "/v1/users", body).status == .accepted)
        let isTaken = eventually(within: .seconds(10)) {
            // The pauses between attempts pass at once.
            clock.advance(by: .seconds(11))
            return sink.mails.contains { $0.contains("DATA") }
        }

        let mail = try required(sink.mails.last)
        #expect(isTaken)
        #expect(mail.contains("MAIL FROM:<daleks@here.example>") && mail.contains("RCPT TO:<ann@example.com>"))
        #expect(mail.contains("Subject: Confirm your address\n"))
        let token = try service.token(in: mail)
        let confirmation: JSONObject = ["token": .string(token), "password": .string(TestService.password)]
        #expect(try service.json(.post, "/v1/users/verify", confirmation).status == .created)

        // A forgotten password goes the same way.
        #expect(try service.json(.post, Routes.Users.forgotPassword, ["email": "ann@example.com"]).status == .accepted)
        #expect(eventually(within: .seconds(10)) { sink.mails.contains { $0.contains("/reset?token=") } })
        let reset = try service.token(in: try required(sink.mails.first { $0.contains("/reset?token=") }))
        let new: JSONObject = ["token": .string(reset), "password": "another horse altogether"]
        #expect(try service.json(.post, Routes.Users.resetPassword, new).status == .noContent)
        #expect(throws: Never.self) { try service.logIn(password: "another horse altogether") }
    }

    @Test func `what is no mail server is refused before it is used`() {
        for url in ["http://x", "smtp://", "smtp://user@host", "x", "smtp://a b"] {
            #expect(MailServer(url: url) == nil)
        }
        for url in ["smtp://mail.example:587", "smtps://mail.example"] { #expect(MailServer(url: url) != nil) }
    }

    @Test func `a server that is not there is an error and no crash`() throws {
        let server = try required(MailServer(url: "smtp://127.0.0.1:9", timeout: .seconds(2)))
        #expect(throws: HTTPClientError.self) {
            try server.send(Array("Subject: x\r\n\r\nx\r\n".utf8), from: "a@b.example", to: "c@d.example")
        }
    }
}
