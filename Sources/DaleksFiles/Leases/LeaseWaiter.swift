import DaleksAPI
import DaleksCore
import DaleksHTTP
import DaleksHTTPServer
import DaleksSystem

/// A request that waits for a lease, or for news of those that its device has.
struct LeaseWaiter: Sendable {
    enum Question: Sendable {
        /// Wants one, and will wait for it; `unlessUsed`: but not for programs that hold locks.
        case take(LeaseMode, NodeID, unlessUsed: Bool)
        /// Wants to hear of what others want, but for what it knows is wanted: by their numbers, since one that was
        /// given back meanwhile and had again is another.
        case watch(known: [NodeID: Int64])
    }

    enum Verdict: Sendable {
        case answer(HTTPResponse)
        /// Nothing yet; something may be different then.
        case waits(until: Instant)
    }

    let caller: Caller
    let holder: LeaseHolder
    let question: Question
    let deadline: Instant
    let parked: Parked
}

/// What leases are asked for: takes, gives back, renews, and says who must hear of it.
struct Leases: Sendable {
    let store: TreeStore
    let time: TimeSource

    /// Asks once, and says until when an answer is worth waiting for.
    func look(
        _ question: LeaseWaiter.Question,
        by holder: LeaseHolder,
        until deadline: Instant
    ) throws(APIError) -> (verdict: LeaseWaiter.Verdict, told: Set<LeaseHolder>) {
        let now = time.now
        switch question {
        case .take(let mode, let node, let unlessUsed):
            let outcome = try store.takeLease(
                mode,
                on: node,
                by: holder,
                wishKept: max(.zero, deadline - now) + Limits.Files.leaseWishSlack
            )
            switch outcome.value {
            case .given(let lease): return (.answer(.json(of: lease)), outcome.told)
            case .taken(let isUsed, let until):
                guard now < deadline, !(isUsed && unlessUsed) else {
                    let detail =
                        isUsed
                        ? "another machine has the lease on this file, and programs there hold locks"
                        : "another machine has the lease on this file"
                    throw APIError(.locked, detail).retrying(afterSeconds: 1)
                }
                let expiry = now + max(.zero, until - time.wall) + .milliseconds(1)
                return (.waits(until: min(expiry, now + Limits.Files.leaseLookInterval)), outcome.told)
            }
        case .watch(let known):
            let recalled = try store.recalledLeases(of: holder)
            // Who has none waits for nothing.
            guard recalled?.allSatisfy({ known[$0.place.node] == $0.number }) == true, now < deadline else {
                let nodes = (recalled ?? []).map(\.place.node)
                let news = LeaseNews(seconds: Limits.Files.leaseSecondsTold, recalled: nodes, lost: [])
                return (.answer(.json(of: news)), [])
            }
            return (.waits(until: now + Limits.Files.leaseLookInterval), [])
        }
    }
}
