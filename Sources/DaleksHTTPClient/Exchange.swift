/// An exchange that was started. Dropping it changes nothing; it goes on to its completion.
public final class Exchange: Sendable {
    private let id: UInt64
    private let inbox: Inbox

    init(id: UInt64, inbox: Inbox) {
        self.id = id
        self.inbox = inbox
    }

    /// Ends it with `.canceled`, soon, unless it is complete already. From any thread, any number of times.
    public func cancel() { inbox.post(.cancel(id)) }
}
