import CCurl

typealias Conclusion = Transfer.Conclusion

extension Transfer.Conclusion {
    /// What libcurl's verdict on a transfer means.
    static func of(_ code: CURLcode, _ transfer: Transfer, _ easy: EasyHandle) -> Self {
        if let failure = transfer.ownFailure { return .failed(failure, isTransient: false) }
        if transfer.isBodyCut { return .answered }
        let detail = easy.explanation(of: code)
        switch code {
        case CURLE_OK:
            return transfer.head.isComplete
                ? .answered : .failed(.transfer(detail: "the answer had no head"), isTransient: false)
        case CURLE_SEND_FAIL_REWIND:
            return .staleConnection
        // The only time that libcurl keeps is the one for connecting.
        case CURLE_COULDNT_CONNECT, CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_RESOLVE_PROXY, CURLE_OPERATION_TIMEDOUT:
            return .failed(.couldNotConnect(detail: detail), isTransient: true)
        case CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CACERT_BADFILE, CURLE_SSL_CERTPROBLEM, CURLE_SSL_CIPHER,
            CURLE_SSL_ISSUER_ERROR, CURLE_SSL_INVALIDCERTSTATUS, CURLE_SSL_ENGINE_INITFAILED, CURLE_USE_SSL_FAILED:
            return .failed(.tls(detail: detail), isTransient: false)
        case CURLE_SSL_CONNECT_ERROR:
            return .failed(.tls(detail: detail), isTransient: true)
        case CURLE_URL_MALFORMAT:
            return .failed(.badURL, isTransient: false)
        case CURLE_GOT_NOTHING, CURLE_RECV_ERROR, CURLE_SEND_ERROR, CURLE_PARTIAL_FILE, CURLE_HTTP2, CURLE_HTTP2_STREAM:
            return .failed(.transfer(detail: detail), isTransient: true)
        default:
            return .failed(.transfer(detail: detail), isTransient: false)
        }
    }
}
