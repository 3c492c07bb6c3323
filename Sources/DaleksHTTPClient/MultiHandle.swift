import CCurl
import DaleksSystem

/// libcurl's set of transfers and pooled connections.
///
/// ## Concurrency
/// Everything but `wake` belongs to the driver's thread. `wake` may come from any thread: libcurl allows that as long
/// as the handle lives, and `isOpen` is held over the call (one write that never blocks) so that `close` cannot come
/// between.
final class MultiHandle: @unchecked Sendable {
    // Unchecked: `raw` never changes, and only `wake` uses it outside the driver's thread, under `isOpen`.
    private let raw: UnsafeMutableRawPointer
    private let isOpen = Lock(true)

    init(connectionsIdleMax: Int) {
        CurlLibrary.start()
        guard let raw = curl_multi_init() else { preconditionFailure("libcurl has no memory for its transfers") }
        self.raw = raw
        let result = daleks_curl_multi_set_long(raw, CURLMOPT_MAXCONNECTS, connectionsIdleMax)
        precondition(result == CURLM_OK, "libcurl refused the limit of its pool")
    }

    func wake() {
        isOpen.withLock { isOpen in
            if isOpen { _ = curl_multi_wakeup(raw) }
        }
    }

    /// Closes all connections. The driver calls it last, once no easy handle is left inside.
    func close() {
        isOpen.withLock { $0 = false }
        curl_multi_cleanup(raw)
    }

    func add(_ easy: EasyHandle) -> Bool { curl_multi_add_handle(raw, easy.raw) == CURLM_OK }

    func remove(_ easy: EasyHandle) {
        let result = curl_multi_remove_handle(raw, easy.raw)
        precondition(result == CURLM_OK, "a transfer was removed that was not there")
    }

    func perform() {
        var runningCount: Int32 = 0
        let result = curl_multi_perform(raw, &runningCount)
        precondition(result == CURLM_OK, "libcurl lost its transfers")
    }

    /// Sleeps until a socket, a timer of libcurl's, `wake` or the time calls.
    func poll(milliseconds: Int32) {
        _ = curl_multi_poll(raw, nil, 0, milliseconds, nil)
    }

    /// The next transfer that ended, by its private pointer.
    func nextEnded() -> (owner: UnsafeMutableRawPointer, code: CURLcode)? {
        var leftCount: Int32 = 0
        while let message = curl_multi_info_read(raw, &leftCount) {
            guard message.pointee.msg == CURLMSG_DONE, let easy = message.pointee.easy_handle,
                let owner = EasyHandle.owner(of: easy)
            else { continue }
            return (owner, message.pointee.data.result)
        }
        return nil
    }
}

/// The library's one start for the whole process.
enum CurlLibrary {
    private static let isStarted: Bool = curl_global_init(Int(CURL_GLOBAL_DEFAULT)) == CURLE_OK

    static func start() { precondition(isStarted, "libcurl could not start") }
}
