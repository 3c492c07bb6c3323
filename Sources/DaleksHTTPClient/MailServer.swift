import CCurl
import DaleksCore

/// A mail server that takes mail over SMTP (RFC 5321), through libcurl.
///
/// `smtp://HOST:PORT` begins in the clear and goes over to TLS (STARTTLS) unless the host is this machine;
/// `smtps://HOST:PORT` is TLS from the first byte. The server's certificate is verified either way.
public struct MailServer: Sendable {
    public let url: String
    private let user: String?
    private let password: String?
    private let caFile: String?
    private let timeout: Duration

    /// Nil for what is no URL of a mail server.
    public init?(
        url: String,
        user: String? = nil,
        password: String? = nil,
        caFile: String? = nil,
        timeout: Duration = .seconds(30)
    ) {
        let isKnown = ["smtp://", "smtps://"].contains { url.hasPrefix($0) && url.utf8.count > $0.utf8.count }
        guard isKnown, url.utf8.allSatisfy({ (33...126).contains($0) && $0 != UInt8(ascii: "@") }) else { return nil }
        self.url = url
        self.user = user
        self.password = password
        self.caFile = caFile
        self.timeout = timeout
    }

    /// Blocks until the server took it or refused. `message` is complete, its lines ended by CR LF.
    public func send(_ message: [UInt8], from sender: String, to recipient: String) throws(HTTPClientError) {
        CurlLibrary.start()
        guard let easy = curl_easy_init() else { throw .transfer(detail: "libcurl has no memory for a mail") }
        defer { curl_easy_cleanup(easy) }
        let recipients = curl_slist_append(nil, "<\(recipient)>")
        defer { curl_slist_free_all(recipients) }
        let letter = OutgoingMail(message)
        // The letter outlives the transfer, which ends before this returns.
        let owner = Unmanaged.passUnretained(letter).toOpaque()
        let results = [
            daleks_curl_set_long(easy, CURLOPT_NOSIGNAL, 1),
            daleks_curl_set_text(easy, CURLOPT_PROTOCOLS_STR, "smtp,smtps"),
            daleks_curl_set_text(easy, CURLOPT_PROXY, ""),
            daleks_curl_set_text(easy, CURLOPT_URL, url),
            daleks_curl_set_text(easy, CURLOPT_MAIL_FROM, "<\(sender)>"),
            daleks_curl_set_list(easy, CURLOPT_MAIL_RCPT, recipients),
            daleks_curl_set_long(easy, CURLOPT_UPLOAD, 1),
            daleks_curl_set_data(easy, CURLOPT_READFUNCTION, MailCallbacks.read),
            daleks_curl_set_pointer(easy, CURLOPT_READDATA, owner),
            daleks_curl_set_long(easy, CURLOPT_TIMEOUT_MS, Int(max(1, timeout.milliseconds))),
            daleks_curl_set_long(easy, CURLOPT_SSL_VERIFYPEER, 1),
            daleks_curl_set_long(easy, CURLOPT_SSL_VERIFYHOST, 2),
            daleks_curl_set_long(
                easy,
                CURLOPT_USE_SSL,
                isHere ? Int(CURLUSESSL_TRY.rawValue) : Int(CURLUSESSL_ALL.rawValue)
            ),
        ]
        precondition(results.allSatisfy { $0 == CURLE_OK }, "this libcurl lacks an option that mail needs")
        if let user, let password {
            guard daleks_curl_set_text(easy, CURLOPT_USERNAME, user) == CURLE_OK,
                daleks_curl_set_text(easy, CURLOPT_PASSWORD, password) == CURLE_OK
            else { throw .transfer(detail: "libcurl does not take the mail server's user") }
        }
        if let caFile { _ = daleks_curl_set_text(easy, CURLOPT_CAINFO, caFile) }
        let result = curl_easy_perform(easy)
        guard result == CURLE_OK else { throw failure(result, easy) }
    }

    /// The machine itself: nobody listens on the way.
    private var isHere: Bool {
        let host = url.drop { $0 != "/" }.drop { $0 == "/" }
        return ["127.0.0.1", "localhost", "[::1]"].contains { host == $0 || host.hasPrefix($0 + ":") }
    }

    private func failure(_ result: CURLcode, _ easy: UnsafeMutableRawPointer) -> HTTPClientError {
        var code = 0
        _ = daleks_curl_get_long(easy, CURLINFO_RESPONSE_CODE, &code)
        let reason = String(cString: curl_easy_strerror(result))
        switch result {
        case CURLE_OPERATION_TIMEDOUT: return .timedOut
        case CURLE_COULDNT_CONNECT, CURLE_COULDNT_RESOLVE_HOST: return .couldNotConnect(detail: reason)
        case CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CONNECT_ERROR, CURLE_USE_SSL_FAILED: return .tls(detail: reason)
        default: return .transfer(detail: code == 0 ? reason : "\(reason) (the mail server said \(code))")
        }
    }
}

/// A mail on its way. It belongs to the thread that sends it.
final class OutgoingMail {
    private var rest: ArraySlice<UInt8>

    init(_ message: [UInt8]) { rest = message[...] }

    func read(into buffer: UnsafeMutableRawBufferPointer) -> Int {
        let count = min(buffer.count, rest.count)
        buffer.copyBytes(from: rest.prefix(count))
        rest = rest.dropFirst(count)
        return count
    }
}

/// What libcurl calls for a mail, away from any main.
enum MailCallbacks {
    static let read: daleks_curl_data = { buffer, size, count, owner in
        guard let buffer, let owner else { return 0 }
        let letter = Unmanaged<OutgoingMail>.fromOpaque(owner).takeUnretainedValue()
        return letter.read(into: UnsafeMutableRawBufferPointer(start: buffer, count: size * count))
    }
}
