public import DaleksAPI
public import DaleksCore
import DaleksSystem

/// A region, as far as others share something there with the account.
public protocol SharingRemote: Remote {
    func sharedWithMe(after node: NodeID?) throws(RemoteError) -> SharedWithMe
    /// Ends with `canceled` soon after it was interrupted.
    func follow(_ request: FollowRequest, until interruption: Interruption) throws(RemoteError) -> FollowAnswer
    /// What people are called; who is unknown is left out.
    func names(of people: [UserID]) throws(RemoteError) -> [UserID: String]
    /// Gives up what the account was granted on this very node.
    func leave(_ node: NodeID) throws(RemoteError)
}

/// Somebody's wish that a call which waits end, once.
///
/// ## Concurrency
/// From any thread. The action runs with no lock held, on the thread that interrupts or that said what to do.
public final class Interruption: Sendable {
    private struct State {
        var isInterrupted = false
        var action: (@Sendable () -> Void)?
    }

    private let state = Lock(State())

    public init() {}

    public var isInterrupted: Bool { state.withLock { $0.isInterrupted } }

    public func interrupt() {
        let action = state.withLock { state in
            state.isInterrupted = true
            defer { state.action = nil }
            return state.action
        }
        action?()
    }

    /// What ends the call; at once where the wish came before.
    public func onInterrupt(_ action: @escaping @Sendable () -> Void) {
        let isLate = state.withLock { state in
            if !state.isInterrupted { state.action = action }
            return state.isInterrupted
        }
        if isLate { action() }
    }
}
