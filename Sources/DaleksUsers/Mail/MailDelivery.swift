import DaleksCore
import DaleksHTTP
public import DaleksHTTPClient
import DaleksSystem
import Glibc

/// Where mail goes.
public enum MailRoute: Sendable {
    /// A folder, one file a mail, for trials and for services that are not to write to anybody.
    case folder(String)
    case server(MailServer)
}

/// Writes a mail as the network has it (RFC 5322) and hands it over.
struct MailDelivery: Sendable {
    let route: MailRoute
    /// Whom mails are from.
    let sender: String

    enum Failure: Error, CustomStringConvertible {
        case failed(String)

        var description: String {
            switch self {
            case .failed(let reason): reason
            }
        }
    }

    func deliver(_ letter: Letter, number: Int64, at now: Timestamp) throws(Failure) {
        let message = message(letter, number, now)
        switch route {
        case .folder(let path):
            do throws(Errno) {
                try Files.createPrivateDirectory(path)
                let name = "\(now.nanoseconds)-\(number).eml"
                try Files.writeAtomically("\(path)/\(name)", message, mode: 0o600, durable: true)
            } catch {
                throw .failed("\(path): \(error)")
            }
        case .server(let server):
            do throws(HTTPClientError) {
                try server.send(message, from: sender, to: letter.recipient.text)
            } catch {
                throw .failed("\(error)")
            }
        }
    }

    /// Nothing but addresses that were checked and texts of ours goes into the header, so that no line of anybody
    /// else's can.
    private func message(_ letter: Letter, _ number: Int64, _ now: Timestamp) -> [UInt8] {
        let domain = sender.split(separator: "@").last.map { String($0) } ?? "localhost"
        let lines = [
            "From: Daleks <\(sender)>", "To: <\(letter.recipient.text)>", "Subject: \(letter.subject)",
            "Date: \(HTTPDate.text(now))", "Message-ID: <\(Hex.encode(Random.bytes(count: 12))).\(number)@\(domain)>",
            "MIME-Version: 1.0", "Content-Type: text/plain; charset=utf-8", "Content-Transfer-Encoding: 8bit",
            "Auto-Submitted: auto-generated", "",
        ]
        let body = letter.body.split(separator: "\n", omittingEmptySubsequences: false)
        return Array((lines + body.map { String($0) }).joined(separator: "\r\n").utf8) + [13, 10]
    }
}
