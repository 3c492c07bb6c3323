import DaleksAPI
import DaleksCache
import DaleksCore
import DaleksSQLite
import DaleksSystem
import Glibc

/// The region came back from a backup: asks what it still has of what is known here to be younger, and sends again what
/// it has not. Nothing goes away here because the region forgot it.
///
/// What it forgot can be told by the numbers: every revision between the backup and the return was given out once and
/// means nothing any more (`Setbacks`). So everything else that is known here is as true as before, and the feed is
/// read on from where the backup ends.
///
/// ## Concurrency
/// Runs on the puller's thread. The region is asked first, and what it says is taken in the turn of the news, in one
/// transaction that looks once more at what is in question. Users go on working; what they do is in the journal, behind
/// what is sent again.
struct Reunion {
    let tree: LocalTree
    let news: RemoteNews
    let fetcher: Fetcher
    let remote: any Remote
    let setAside: SetAside
    let logger: Logger

    /// What the region has of the nodes in question.
    struct There {
        var asked: Set<NodeID> = []
        var records: [NodeID: NodeRecord] = [:]
        /// Of the folders among them, whole.
        var listings: [NodeID: [Name: NodeRecord]] = [:]
    }

    enum Failure: Error {
        case local(Errno)
        case remote(RemoteError)
    }

    private struct Outcome {
        var effects: [Merger.Effect] = []
        var reports: [Settlement.Report] = []
        var released: Set<Inode> = []
        var sentAgainCount = 0
    }

    func run(_ record: TreeRecord) throws(Failure) {
        let outcome = try compare(record)
        for report in outcome.reports {
            logger.warning(report.message, ["inode": report.node, "detail": report.detail])
        }
        logger.notice("the region came back from a backup", ["operations.sent.again": outcome.sentAgainCount])
        news.noteReturn(outcome.effects)
        for inode in outcome.released { tree.collect(inode) }
    }

    private func compare(_ record: TreeRecord) throws(Failure) -> Outcome {
        // What it told of itself before and has forgotten since may still be true of what is known here.
        var setbacks = record.setbacks
        setbacks.formUnion(news.setbacks)
        var there = There()
        // Work that goes on here may join more to what is in question; it does not do so for ever.
        for _ in 0..<Self.roundCountMax {
            let question = try question(setbacks, record)
            try ask(question, &there, record)
            for content in tree.contents.allLoaded { try? tree.saveContent(content) }
            try verify(question)
            do throws(Errno) {
                let outcome = try news.inTurn { () throws(Errno) in try take(there, question, setbacks, record) }
                if let outcome { return outcome }
            } catch {
                throw .local(error)
            }
        }
        throw .remote(.unreachable("the tree changes faster than it can be compared"))
    }

    private static let roundCountMax = 20

    // MARK: Asking

    /// Nodes of which something is younger than what the region has.
    private func question(_ setbacks: Setbacks, _ record: TreeRecord) throws(Failure) -> [LocalNode] {
        do throws(Errno) {
            return try tree.database.reading { db throws in
                let inodes = try ReunionStep.inodesInQuestion(setbacks, root: record.root, db)
                return try inodes.sorted().compactMap { inode in
                    var node = try NodeTable.find(inode, in: db)
                    if inode == .root { node?.id = record.root }
                    return node
                }
            }
        } catch {
            throw .local(error)
        }
    }

    private func ask(_ question: [LocalNode], _ there: inout There, _ tree: TreeRecord) throws(Failure) {
        for node in question where node.attributes.kind == .folder && !there.asked.contains(node.id) {
            guard let record = try found({ () throws(RemoteError) in try remote.node(node.id) }),
                let listing = try list(node.id, tree)
            else { continue }
            there.records[node.id] = record
            there.listings[node.id] = listing
            for known in listing.values where there.records[known.id] == nil { there.records[known.id] = known }
        }
        for node in question where !there.asked.contains(node.id) && there.records[node.id] == nil {
            guard node.attributes.kind != .folder else { continue }
            there.records[node.id] = try found { () throws(RemoteError) in try remote.node(node.id) }
        }
        for node in question { there.asked.insert(node.id) }
    }

    private func list(_ id: NodeID, _ tree: TreeRecord) throws(Failure) -> [Name: NodeRecord]? {
        var listing: [Name: NodeRecord] = [:]
        var next: Name?
        repeat {
            let after = next
            let page = try found { () throws(RemoteError) in
                try remote.children(of: id, after: after, limit: Limits.Wire.childrenPageCountMax)
            }
            guard let page else { return nil }
            guard Cursor(page.cursor)?.epoch == tree.epoch else {
                throw .remote(.unreachable("the region came back from a backup once more"))
            }
            for entry in page.entries { listing[entry.name] = entry.node }
            next = page.next
        } while next != nil
        return listing
    }

    private func found<Answer>(_ question: () throws(RemoteError) -> Answer) throws(Failure) -> Answer? {
        do throws(RemoteError) {
            return try question()
        } catch {
            if error == .notFound { return nil }
            throw .remote(error)
        }
    }

    /// Bytes that an earlier daemon left and did not vouch for are hashed before they are sent to anybody.
    private func verify(_ question: [LocalNode]) throws(Failure) {
        guard tree.contents.isSuspect else { return }
        for node in question where node.attributes.kind == .file {
            do throws(Fetcher.FetchFailure) { try fetcher.verifyAll(of: node.inode) } catch {
                throw .local(error.errno)
            }
        }
    }

    // MARK: Taking it in

    /// Nil where more came into question meanwhile.
    private func take(
        _ there: There,
        _ question: [LocalNode],
        _ setbacks: Setbacks,
        _ record: TreeRecord
    ) throws(Errno) -> Outcome? {
        // Bytes that were the region's become ours alone: the index may say so only once they are on the disk.
        try tree.store.synchronizeAll()
        let files = Set(question.lazy.filter { $0.attributes.kind == .file }.map(\.inode))
        return try tree.contents.holding(files) { held throws(Errno) -> Outcome? in
            for content in held.values { content.freeze() }
            var frozen = held
            var own: [Inode: ReunionStep.Unsent] = [:]
            defer {
                for (inode, content) in frozen {
                    let unsent = own[inode]
                    content.thaw { state in if let unsent { state.become(unsent) } }
                }
            }
            let sizes = held.mapValues(\.live.size)
            let step = try tree.database.writing { db throws -> ReunionStep? in
                var step = ReunionStep(there: there, setbacks: setbacks, sizes: sizes, now: tree.wallNow)
                guard try step.run(record, db) else { return nil }
                for node in step.keptAside { try keepAside(node) }
                return step
            }
            guard let step else { return nil }
            own = step.unsent
            for case .content(let node) in step.effects {
                guard let content = frozen.removeValue(forKey: node.inode), let errno = content.adopt(node) else {
                    continue
                }
                logger.error("old bytes of a file could not be let go of", ["inode": node.inode, "errno": errno])
            }
            // And nothing of that later: a region that came back from before an earlier return may give out numbers
            // which that one had made void.
            news.setbacks = record.setbacks
            return Outcome(
                effects: step.effects,
                reports: step.reports,
                released: step.released,
                sentAgainCount: step.rowCount
            )
        }
    }

    /// A copy of bytes that are younger than what the region has and too few to be sent.
    private func keepAside(_ node: LocalNode) throws(Errno) {
        guard try tree.store.status(of: node.inode) != nil else { return }
        let file = try tree.store.open(node.inode)
        guard try file.nextData(from: 0) != nil else { return }
        try setAside.keep(
            file,
            size: Int64(try file.status().st_size),
            of: node.inode,
            node.id,
            because: "a file whose younger content is lost but for what is here goes back to the region's"
        )
    }
}

extension FileContent.State {
    /// Everything that is here goes to the region, over what that has.
    fileprivate mutating func become(_ unsent: ReunionStep.Unsent) {
        revision = unsent.node.content
        remoteSize = unsent.node.content == 0 ? 0 : unsent.node.contentSize
        cutFrom = unsent.cutFrom
        pieces = [:]
        for span in ReunionStep.spansToTell(size: size, present: spans.keys) { spans[span] = .dirty }
    }
}
