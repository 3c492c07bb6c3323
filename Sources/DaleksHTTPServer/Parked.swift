public import DaleksHTTP
import DaleksSystem

/// The right to answer one parked request, exactly once, from any thread. Dropped unanswered, it answers 500.
///
/// ## Concurrency
/// `state` guards what became of it. The answer is delivered, and `onClosed` called, with no lock held.
public final class Parked: Sendable {
    private struct State {
        var isOpen = true
        var onClosed: (@Sendable () -> Void)?
    }

    private let state = Lock(State())
    private let deliver: @Sendable (HTTPResponse) -> Void
    private let requestID: String

    init(requestID: String, deliver: @escaping @Sendable (HTTPResponse) -> Void) {
        self.requestID = requestID
        self.deliver = deliver
    }

    deinit {
        let isOpen = state.withLock { $0.isOpen }
        if isOpen { deliver(.problem(.internalError("the request was forgotten"), requestID: requestID)) }
    }

    /// False while somebody still waits for the answer.
    public var isClosed: Bool { state.withLock { !$0.isOpen } }

    /// Answers. False, and nothing happens, where it was answered before or the client is gone. A response that is
    /// itself parked is refused as our mistake.
    @discardableResult
    public func complete(_ response: HTTPResponse) -> Bool {
        if case .parked = response.body {
            return complete(.problem(.internalError("a parked answer was parked again"), requestID: requestID))
        }
        guard close() != nil else { return false }
        deliver(response)
        return true
    }

    @discardableResult
    public func fail(_ error: APIError) -> Bool { complete(.problem(error, requestID: requestID)) }

    /// Calls `body` once if the client goes away before it was answered (at once if it did already), not otherwise. It
    /// must not block.
    public func onClientGone(_ body: @escaping @Sendable () -> Void) {
        let isGone = state.withLock { state in
            if state.isOpen { state.onClosed = body }
            return !state.isOpen
        }
        if isGone { body() }
    }

    /// The client went away: nobody is waiting any more.
    func clientWentAway() {
        if let onClosed = close() { onClosed() }
    }

    /// Nil where it was closed before.
    private func close() -> (@Sendable () -> Void)? {
        state.withLock { state in
            guard state.isOpen else { return nil }
            state.isOpen = false
            let onClosed = state.onClosed
            state.onClosed = nil
            return onClosed ?? {}
        }
    }
}
