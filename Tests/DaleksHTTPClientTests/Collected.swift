import DaleksHTTP
import DaleksHTTPClient
import DaleksSystem
import Glibc

/// What closures of an exchange saw, gathered from their threads.
final class Collected: Sendable {
    private let state = Condition<[UInt8]>([])

    var bytes: [UInt8] { state.withLock { $0 } }
    var count: Int { state.withLock { $0.count } }

    func append(_ buffer: UnsafeRawBufferPointer) {
        state.withLock { $0.append(contentsOf: buffer) }
        state.broadcast()
    }

    func clear() { state.withLock { $0 = [] } }

    func wait(forBytes count: Int, within timeout: Duration = .seconds(5)) -> Bool {
        state.wait(timeout: timeout) { $0.count >= count ? true : nil } ?? false
    }
}

/// Results of exchanges that were started, in the order of their completion.
final class Results: Sendable {
    private let state = Condition<[Result<ClientResponse, HTTPClientError>]>([])

    var all: [Result<ClientResponse, HTTPClientError>] { state.withLock { $0 } }

    func add(_ result: Result<ClientResponse, HTTPClientError>) {
        state.withLock { $0.append(result) }
        state.broadcast()
    }

    func wait(for count: Int, within timeout: Duration = .seconds(10)) -> Bool {
        state.wait(timeout: timeout) { $0.count >= count ? true : nil } ?? false
    }
}

extension Result where Success == ClientResponse, Failure == HTTPClientError {
    var error: HTTPClientError? {
        if case .failure(let error) = self { error } else { nil }
    }

    var status: Int? { (try? get())?.status.code }
}

extension HTTPClient {
    /// The error with which a request ends.
    func failure(of request: ClientRequest) -> HTTPClientError? {
        do throws(HTTPClientError) {
            _ = try send(request)
            return nil
        } catch {
            return error
        }
    }

    /// One that retries without long pauses.
    static func forTests(_ change: (inout HTTPClientConfiguration) -> Void = { _ in }) -> HTTPClient {
        var configuration = HTTPClientConfiguration(userAgent: "daleks-tests")
        configuration.retryDelayBase = .milliseconds(10)
        configuration.retryDelayMax = .milliseconds(50)
        change(&configuration)
        return HTTPClient(configuration: configuration)
    }
}

func usleepMilliseconds(_ count: Int) { usleep(UInt32(count) * 1_000) }
