import CCurl
import DaleksCore
import DaleksHTTP

/// One libcurl transfer, reused for others. It belongs to the driver's thread.
final class EasyHandle {
    let raw: UnsafeMutableRawPointer
    private let errorText: UnsafeMutablePointer<CChar>
    private var fieldList: UnsafeMutablePointer<curl_slist>?

    init() {
        guard let raw = curl_easy_init() else { preconditionFailure("libcurl has no memory for a transfer") }
        self.raw = raw
        errorText = .allocate(capacity: Int(CURL_ERROR_SIZE))
        errorText.initialize(repeating: 0, count: Int(CURL_ERROR_SIZE))
    }

    deinit {
        curl_easy_cleanup(raw)
        curl_slist_free_all(fieldList)
        errorText.deallocate()
    }

    static func owner(of raw: UnsafeMutableRawPointer) -> UnsafeMutableRawPointer? {
        var owner: UnsafeMutableRawPointer?
        guard daleks_curl_get_pointer(raw, CURLINFO_PRIVATE, &owner) == CURLE_OK else { return nil }
        return owner
    }

    /// Forgets the last request; connections and TLS sessions stay with the multi handle.
    func reset() {
        curl_easy_reset(raw)
        curl_slist_free_all(fieldList)
        fieldList = nil
        errorText[0] = 0
    }

    // MARK: What a transfer is made of

    /// Everything that holds for every request. Most of it is what libcurl shall not do by itself.
    func apply(_ configuration: HTTPClientConfiguration) {
        set(CURLOPT_NOSIGNAL, 1)
        pointer(CURLOPT_ERRORBUFFER, UnsafeMutableRawPointer(errorText))
        text(CURLOPT_PROTOCOLS_STR, "http,https")
        text(CURLOPT_REDIR_PROTOCOLS_STR, "http,https")
        set(CURLOPT_FOLLOWLOCATION, 0)
        set(CURLOPT_DISALLOW_USERNAME_IN_URL, 1)
        set(CURLOPT_PATH_AS_IS, 1)
        // An empty text and not none: none means whatever the environment says.
        text(CURLOPT_PROXY, configuration.proxy ?? "")
        text(CURLOPT_NOPROXY, "")
        text(CURLOPT_USERAGENT, configuration.userAgent)
        set(CURLOPT_CONNECTTIMEOUT_MS, Int(max(1, configuration.connectTimeout.milliseconds)))
        // A resolver thread that hangs is left to itself instead of being waited for when its exchange is canceled.
        set(CURLOPT_QUICK_EXIT, 1)
        set(CURLOPT_TCP_KEEPALIVE, 1)
        set(CURLOPT_MAXAGE_CONN, Int(Limits.HTTPClient.connectionIdleAge.inSeconds))
        set(CURLOPT_MAXLIFETIME_CONN, Int(Limits.HTTPClient.connectionAge.inSeconds))
        set(CURLOPT_BUFFERSIZE, Limits.HTTPClient.receiveBufferBytes)
        applyTrust(configuration.caFile)
        let version = configuration.isHTTP2Allowed ? Int(CURL_HTTP_VERSION_2TLS) : Int(CURL_HTTP_VERSION_1_1)
        // A libcurl without HTTP/2 refuses the option and speaks 1.1, which is what we want then.
        _ = daleks_curl_set_long(raw, CURLOPT_HTTP_VERSION, version)
    }

    private func applyTrust(_ caFile: String?) {
        set(CURLOPT_SSL_VERIFYPEER, 1)
        set(CURLOPT_SSL_VERIFYHOST, 2)
        set(CURLOPT_SSLVERSION, Int(CURL_SSLVERSION_TLSv1_2))
        if let caFile {
            // It takes the place of the system's bundle; the system's folder of certificates stays, and so do they.
            text(CURLOPT_CAINFO, caFile)
        } else if Self.hasSystemBundle {
            // The bundle has all that the folder has, and libcurl keeps a parsed bundle only where there is no folder:
            // without this each new connection parses some 140 certificates.
            text(CURLOPT_CAPATH, nil)
        }
    }

    private static let hasSystemBundle: Bool = {
        guard let raw = curl_easy_init() else { return false }
        defer { curl_easy_cleanup(raw) }
        var path: UnsafePointer<CChar>?
        return daleks_curl_get_text(raw, CURLINFO_CAINFO, &path) == CURLE_OK && path != nil
    }()

    /// What this request is. `owner` is handed to every callback and must outlive the transfer.
    func apply(_ request: ClientRequest, url: String, inlineBytesMax: Int, owner: UnsafeMutableRawPointer) {
        pointer(CURLOPT_PRIVATE, owner)
        text(CURLOPT_URL, url)
        applyCallbacks(owner)
        let hasContentType = applyBody(request, inlineBytesMax)
        applyFields(request.fields, addsNoContentType: !hasContentType)
    }

    private func applyCallbacks(_ owner: UnsafeMutableRawPointer) {
        check(daleks_curl_set_data(raw, CURLOPT_HEADERFUNCTION, Callbacks.header))
        pointer(CURLOPT_HEADERDATA, owner)
        check(daleks_curl_set_data(raw, CURLOPT_WRITEFUNCTION, Callbacks.write))
        pointer(CURLOPT_WRITEDATA, owner)
        check(daleks_curl_set_data(raw, CURLOPT_READFUNCTION, Callbacks.read))
        pointer(CURLOPT_READDATA, owner)
        check(daleks_curl_set_seek(raw, Callbacks.seek))
        pointer(CURLOPT_SEEKDATA, owner)
        check(daleks_curl_set_open_socket(raw, Callbacks.openSocket))
    }

    /// True where libcurl adds no Content-Type of its own.
    private func applyBody(_ request: ClientRequest, _ inlineBytesMax: Int) -> Bool {
        var isForm = false
        switch request.body {
        case .empty:
            switch request.method {
            case .get, .delete, .options, .trace: set(CURLOPT_HTTPGET, 1)
            case .head: set(CURLOPT_NOBODY, 1)
            default:
                isForm = true
                // With no body libcurl would repeat such a request by itself over another connection when a pooled one
                // was dead. There is no asking it not to, so what must not be repeated gets a connection of its own.
                if !request.isIdempotent { set(CURLOPT_FRESH_CONNECT, 1) }
                set(CURLOPT_POST, 1)
                check(daleks_curl_set_offset(raw, CURLOPT_POSTFIELDSIZE_LARGE, 0))
                text(CURLOPT_COPYPOSTFIELDS, "")
            }
        case .bytes(let bytes) where request.isIdempotent && bytes.count <= inlineBytesMax:
            isForm = true
            set(CURLOPT_POST, 1)
            check(daleks_curl_set_offset(raw, CURLOPT_POSTFIELDSIZE_LARGE, curl_off_t(bytes.count)))
            // The size is set before, so libcurl copies that many bytes and looks for no terminator.
            bytes.withUnsafeBytes { buffer in
                let start = buffer.baseAddress ?? UnsafeRawPointer(errorText)
                check(daleks_curl_set_pointer(raw, CURLOPT_COPYPOSTFIELDS, UnsafeMutableRawPointer(mutating: start)))
            }
        case .bytes(let bytes): upload(count: Int64(bytes.count))
        case .file(_, _, let count): upload(count: count)
        case .stream(let count, _): upload(count: count)
        }
        if request.method != .head { text(CURLOPT_CUSTOMREQUEST, request.method.rawValue) }
        return !isForm
    }

    /// The body comes from the read callback; of unknown size, it goes out in chunks.
    private func upload(count: Int64?) {
        set(CURLOPT_UPLOAD, 1)
        set(CURLOPT_UPLOAD_BUFFERSIZE, Limits.HTTPClient.sourceBufferBytes)
        check(daleks_curl_set_offset(raw, CURLOPT_INFILESIZE_LARGE, curl_off_t(count ?? -1)))
    }

    private func applyFields(_ fields: HTTPFields, addsNoContentType: Bool) {
        // A name with nothing behind its colon takes a field of libcurl's out.
        append("Expect:")
        if addsNoContentType, !fields.contains("Content-Type") { append("Content-Type:") }
        for field in fields.all {
            // And a semicolon is how libcurl is asked to send an empty one.
            append(field.value.isEmpty ? "\(field.name);" : "\(field.name): \(field.value)")
        }
        check(daleks_curl_set_list(raw, CURLOPT_HTTPHEADER, fieldList))
    }

    private func append(_ line: String) {
        guard let list = curl_slist_append(fieldList, line) else {
            preconditionFailure("libcurl has no memory for a field")
        }
        fieldList = list
    }

    // MARK: While it runs and after

    func setPaused(receiving: Bool, sending: Bool) {
        let mask = (receiving ? Int32(CURLPAUSE_RECV) : 0) | (sending ? Int32(CURLPAUSE_SEND) : 0)
        // It fails only where the transfer failed, which libcurl tells in its own time.
        _ = curl_easy_pause(raw, mask)
    }

    /// Everything that went either way, headers included: it grows while the peer is alive.
    var movedBytes: Int64 {
        var headerBytes = 0
        _ = daleks_curl_get_long(raw, CURLINFO_HEADER_SIZE, &headerBytes)
        return offset(CURLINFO_SIZE_UPLOAD_T) &+ offset(CURLINFO_SIZE_DOWNLOAD_T) &+ Int64(headerBytes)
    }

    /// What the answer claims, -1 where it claims nothing.
    var contentLength: Int64 { offset(CURLINFO_CONTENT_LENGTH_DOWNLOAD_T) }

    /// Where a redirect leads, made absolute.
    var redirectURL: String? {
        var text: UnsafePointer<CChar>?
        guard daleks_curl_get_text(raw, CURLINFO_REDIRECT_URL, &text) == CURLE_OK else { return nil }
        return text.map { String(cString: $0) }
    }

    /// Forgetting is complete after a transfer that went well over HTTP/1. After others it is not: in libcurl 7.88 the
    /// buffer of an HTTP/2 transfer stays, and a body that could not be sent again fails the next transfer too.
    var leavesNothingBehind: Bool {
        var version = 0
        _ = daleks_curl_get_long(raw, CURLINFO_HTTP_VERSION, &version)
        return version == Int(CURL_HTTP_VERSION_1_0) || version == Int(CURL_HTTP_VERSION_1_1)
    }

    func explanation(of code: CURLcode) -> String {
        errorText[0] != 0 ? String(cString: errorText) : String(cString: curl_easy_strerror(code))
    }

    private func offset(_ info: CURLINFO) -> Int64 {
        var value: curl_off_t = 0
        _ = daleks_curl_get_offset(raw, info, &value)
        return Int64(value)
    }

    private func set(_ option: CURLoption, _ value: Int) { check(daleks_curl_set_long(raw, option, value)) }

    private func text(_ option: CURLoption, _ value: String?) { check(daleks_curl_set_text(raw, option, value)) }

    private func pointer(_ option: CURLoption, _ value: UnsafeMutableRawPointer) {
        check(daleks_curl_set_pointer(raw, option, value))
    }

    /// An option that is not taken would leave a promise unkept (the peer verified, no proxy), so none may fail.
    private func check(_ code: CURLcode) {
        precondition(code == CURLE_OK, "this libcurl lacks an option that is needed")
    }
}
