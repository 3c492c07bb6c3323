import DaleksAPI
public import DaleksCache
import DaleksCore
public import DaleksSystem

/// Calls back when region and machine are alike.
extension SyncEngine {
    /// What somebody waits to be at the region.
    public enum Awaited: Sendable {
        /// A node as it is now: content, attributes, and its own names.
        case node(Inode)
        /// What was done up to now in folders.
        case names(in: [Inode])
    }

    /// Calls back once the region has it: nil, or why it has not, which is known at once where the region refused and
    /// else after `limit`. What it lacks then is sent later all the same.
    public func whenAtRegion(
        _ awaited: Awaited,
        within limit: Duration,
        _ impatience: Impatience? = nil,
        _ completion: @escaping @Sendable (Errno?) -> Void
    ) {
        pusher.hurry()
        switch awaited {
        case .node(let inode): waits.add(.node(inode), within: limit, impatience, completion)
        case .names(let folders): waits.add(.names(folders), within: limit, impatience, completion)
        }
    }

    /// A signal came for who waits with that.
    public func interrupt(_ impatience: Impatience) {
        waits.interrupt(impatience)
    }

    /// What became of a change of names that was left to the region.
    public enum Decision: Sendable {
        /// It is so, here and there.
        case agreed
        /// Others were first. Nothing of it is left, and what they did is here: it may be tried again.
        case overtaken
        /// Nothing of it is left, but with EIO and EINTR, where the region may have heard of it and has not answered:
        /// it is then what the region says it is, once it says so.
        case failed(Errno)
    }

    /// Calls back when the region has decided, or after `limit`.
    public func decide(
        _ question: RegionQuestion,
        within limit: Duration,
        _ impatience: Impatience? = nil,
        _ completion: @escaping @Sendable (Decision) -> Void
    ) {
        pusher.hurry()
        waits.add(.answer(question), within: limit, impatience) { [self] errno in
            tree.questions.leave(question)
            if let errno { return abandon(question, errno, completion) }
            switch question.answer {
            case nil: completion(.agreed)
            case .refused(let errno): completion(.failed(errno))
            case .overtaken(let nodes): relist(nodes[...]) { completion($0.map { .failed($0) } ?? .overtaken) }
            }
        }
    }

    /// Takes back what the region has not been asked yet.
    private func abandon(
        _ question: RegionQuestion,
        _ errno: Errno,
        _ completion: @escaping @Sendable (Decision) -> Void
    ) {
        let accepted = labour.fetches.submit { [self] in
            let isTakenBack = (try? pusher.withdraw(question)) ?? false
            completion(.failed(isTakenBack && errno == .io ? .timedOut : errno))
        }
        if !accepted { completion(.failed(errno)) }
    }

    /// Calls back once everything that the region has done by now is here, and in the kernel's caches where `isHeard`:
    /// nil, or why that is not so, which is told at once where the region does not answer and nobody is patient. Of
    /// `folders`, and of those in which `node` has a name, also what had to wait while something was done in them here.
    public func whenCaughtUp(
        with folders: [Inode] = [],
        andAround node: Inode? = nil,
        isHeard: Bool = false,
        isPatient: Bool = true,
        within limit: Duration,
        _ completion: @escaping @Sendable (Errno?) -> Void
    ) {
        let (news, time) = (news, fetcher.time)
        // While a region begins again a call waits for it, as it would for an answer.
        let now = time.now
        let (end, deadline) = (isPatient ? now + limit : now, now + limit)
        let isHere: @Sendable (Errno?) -> Void = { [self] errno in
            if let errno { return completion(errno) }
            let concerned = folders + (node.map { tree.folders(of: $0) } ?? [])
            settle(concerned, until: deadline, attempts: Self.listingAttemptsMax) { errno in
                guard errno == nil, isHeard else { return completion(errno) }
                news.announcements.whenOver { news.whenHeard { completion(nil) } }
            }
        }
        if let shares {
            return shares.catchUp { error in isHere(error.map { $0 == .loggedOut ? .accessDenied : .timedOut }) }
        }
        let accepted = labour.fetches.submit { [fetcher, remote, waits] in
            do throws(RemoteError) {
                let record = try fetcher.asking(until: end) { () throws(RemoteError) in try remote.tree() }
                guard let cursor = Cursor(record.cursor) else { return completion(.io) }
                waits.add(.feed(cursor), within: max(.zero, deadline - time.now), nil, isHere)
            } catch {
                completion(error == .loggedOut ? .accessDenied : .timedOut)
            }
        }
        if !accepted { completion(.timedOut) }
    }

    /// In a folder in which something is done all the time some name may be ours each time it is listed. What is under
    /// way when somebody comes is answered after two or three times.
    private static let listingAttemptsMax = 8

    /// Lists folders again until nothing that the region has done in them has to wait any more: names of which
    /// something is on its way stay out of a listing, which is begun again once that has been answered.
    private func settle(
        _ folders: [Inode],
        until deadline: Instant,
        attempts: Int,
        _ completion: @escaping @Sendable (Errno?) -> Void
    ) {
        relist(folders[...]) { [self] errno in
            let rest = max(.zero, deadline - fetcher.time.now)
            guard errno == nil, attempts > 1, rest > .zero, folders.contains(where: isBehind) else {
                return completion(errno)
            }
            pusher.hurry()
            waits.add(.names(folders), within: rest) { [self] _ in
                settle(folders, until: deadline, attempts: attempts - 1, completion)
            }
        }
    }

    /// Whether something in a folder had to wait.
    private func isBehind(_ folder: Inode) -> Bool {
        guard let node = try? tree.stored(folder) else { return false }
        return node.attributes.kind == .folder && node.isStale
    }

    /// Lists those again of which something had to wait.
    private func relist(_ nodes: ArraySlice<Inode>, _ completion: @escaping @Sendable (Errno?) -> Void) {
        guard let inode = nodes.first else { return completion(nil) }
        let rest = nodes.dropFirst()
        // What it was about may be gone for good.
        guard isBehind(inode) else { return relist(rest, completion) }
        fetcher.fetch(.folder(inode)) { [self] errno in
            if let errno, errno != .stale { completion(errno) } else { relist(rest, completion) }
        }
    }
}
