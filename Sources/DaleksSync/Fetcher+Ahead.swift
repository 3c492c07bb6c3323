import DaleksAPI
import DaleksCache
import DaleksCore
import DaleksCrypto
import DaleksSQLite
import DaleksSystem

/// Small files and folders that somebody will want soon who goes through a tree: many files in one request, and folders
/// side by side, before they are asked for. Nobody waits for it, and what fails is got when it is asked for.
extension Fetcher {
    /// Files up to this size come along, so much of them in one request; two such are under way at once.
    private static let smallFileBytesMax: Int64 = Int64(Limits.spanBytes)
    private static let batchBytesMax: Int64 = 4 << 20
    static let batchCountMax = 2
    /// Folders that are being listed ahead.
    static let aheadFolderCountMax = 16
    /// How far to look for them.
    private static let walkCountMax = 4_096
    /// Who leaves some out still goes in order.
    private static let nextCount = 8

    struct Ahead {
        var files = InOrder(stepCountMin: 2, countMin: 8, countMax: 512)
        var folders = InOrder(stepCountMin: 1, countMin: 4, countMax: 64)
        var batchCount = 0
        var folderCount = 0
    }

    private struct Chosen {
        var node: LocalNode
        var key: SpanKey
    }

    // MARK: What is asked for

    /// Somebody opened a file: if it is one that was got ahead, he gets on.
    func noteOpened(_ inode: Inode) {
        guard ahead.withLock({ $0.files.landmarks.contains(inode) }) else { return }
        _ = labour.order.submit { [self] in goOn(with: inode) }
    }

    /// Somebody lists a folder: as with files.
    func noteListed(_ inode: Inode) {
        guard ahead.withLock({ $0.folders.landmarks.contains(inode) }) else { return }
        _ = labour.order.submit { [self] in goOn(behind: inode) }
    }

    /// Somebody waits for it.
    func noteWanted(_ need: Need) {
        switch need {
        case .spans(let inode, 0..<1): _ = labour.order.submit { [self] in goOn(with: inode) }
        case .folder(let inode): _ = labour.order.submit { [self] in goOn(behind: inode) }
        case .spans, .pieces, .manifest, .room: break
        }
    }

    // MARK: Files

    private func goOn(with inode: Inode) {
        let around = look(after: nil, of: inode) { $0.node.attributes.kind == .file }
        guard let (place, next) = around, let plan = ahead.withLock({ $0.files.note(inode, at: place, next: next) })
        else { return }
        let isAllowed = ahead.withLock { ahead in
            guard ahead.batchCount < Self.batchCountMax else { return false }
            ahead.batchCount += 1
            return true
        }
        let accepted =
            isAllowed
            && labour.ahead.submit { [self] in
                bring(plan)
                ahead.withLock { $0.batchCount -= 1 }
            }
        guard !accepted else { return }
        ahead.withLock { ahead in
            ahead.files.gaveUp(plan)
            if isAllowed { ahead.batchCount -= 1 }
        }
    }

    private func bring(_ plan: InOrder.Plan) {
        guard gate.hasRoomToSpare, regionCan(.readDigests), let chosen = choose(plan) else {
            return ahead.withLock { $0.files.gaveUp(plan) }
        }
        if !chosen.isEmpty { bring(chosen) }
    }

    /// Where a node stands, and what comes after it, or after what is in it.
    private func look(
        after beginning: TreeWalk.Place?,
        of inode: Inode,
        where isMeant: (LocalEntry) -> Bool
    ) -> (TreeWalk.Place, Set<Inode>)? {
        let found = try? tree.database.reading { db throws -> (TreeWalk.Place, Set<Inode>)? in
            guard let place = try beginning ?? TreeWalk.Place.of(inode, db) else { return nil }
            var next: Set<Inode> = []
            try TreeWalk.follow(place, countMax: Self.nextCount * 8, db) { entry, _ in
                if isMeant(entry) { next.insert(entry.node.inode) }
                return next.count < Self.nextCount
            }
            return (place, next)
        }
        return found ?? nil
    }

    /// What of the plan is not here and small, and nobody is getting. It is ours to get then.
    private func choose(_ plan: InOrder.Plan) -> [Chosen]? {
        let found = try? tree.database.reading { db throws -> ([Chosen], TreeWalk.Place) in
            var (chosen, bytes, until): ([Chosen], Int64, TreeWalk.Place) = ([], 0, plan.start)
            try TreeWalk.follow(plan.start, countMax: Self.walkCountMax, db) { entry, place in
                let node = entry.node
                until = place
                guard node.attributes.kind == .file, node.content > 0, !node.isStale,
                    (1...Self.smallFileBytesMax).contains(node.contentSize),
                    try ContentTable.states(of: node.inode, in: db).isEmpty
                else { return true }
                chosen.append(Chosen(node: node, key: SpanKey(inode: node.inode, span: 0)))
                bytes += node.contentSize
                return chosen.count < plan.count && bytes < Self.batchBytesMax
            }
            return (chosen, until)
        }
        guard let (chosen, until) = found else { return nil }
        ahead.withLock { $0.files.chose(chosen.map(\.node.inode), until: until, for: plan) }
        return state.withLock { state in chosen.filter { state.flying.insert($0.key).inserted } }
    }

    private func bring(_ chosen: [Chosen]) {
        var left = chosen[...]
        defer { land(left) }
        let reads = chosen.map { chosen in
            ContentReads.Read(
                node: chosen.node.id,
                content: chosen.node.content,
                index: 0,
                range: 0..<Int(chosen.node.contentSize)
            )
        }
        guard let answers = try? remote.read(ContentReads(reads, wantsDigests: true)), answers.count == reads.count
        else { return }
        for (one, answer) in zip(chosen, answers) {
            left = left.dropFirst()
            // Each as soon as it is there: somebody may wait for the first while the last is still looked at.
            defer { land([one]) }
            guard case .whole(let digest, let bytes) = answer else { continue }
            try? take(bytes, digest, of: one.node)
        }
    }

    private func land(_ chosen: ArraySlice<Chosen>) {
        guard !chosen.isEmpty else { return }
        state.withLock { state in for one in chosen { state.flying.remove(one.key) } }
        state.broadcast()
    }

    /// The only span of a file, as the region told it.
    private func take(_ bytes: [UInt8], _ digest: Digest, of node: LocalNode) throws(FetchFailure) {
        let content: FileContent
        do throws(Errno) { content = try tree.contents.use(node.inode) } catch { throw .local(error) }
        defer { tree.contents.release(node.inode) }
        guard !content.isOwed(0), content.lacks(0, of: node.content) else { return }
        try fill(0, of: content, with: bytes, digest, node.content)
    }

    // MARK: Folders

    private func goOn(behind inode: Inode) {
        let around = look(after: .beginning(of: inode), of: inode) { $0.node.attributes.kind == .folder }
        guard let (place, next) = around, let plan = ahead.withLock({ $0.folders.note(inode, at: place, next: next) })
        else { return }
        let room = Self.aheadFolderCountMax - ahead.withLock { $0.folderCount }
        let found = try? tree.database.reading { db throws -> ([Inode], TreeWalk.Place) in
            var (chosen, until): ([Inode], TreeWalk.Place) = ([], plan.start)
            guard room > 0 else { return (chosen, until) }
            try TreeWalk.follow(plan.start, countMax: Self.walkCountMax, db) { entry, place in
                until = place
                guard entry.node.attributes.kind == .folder, !entry.node.isComplete, entry.node.revision > 0 else {
                    return true
                }
                chosen.append(entry.node.inode)
                return chosen.count < min(plan.count, room)
            }
            return (chosen, until)
        }
        guard let (chosen, until) = found else { return ahead.withLock { $0.folders.gaveUp(plan) } }
        ahead.withLock { ahead in
            ahead.folders.chose(chosen, until: until, for: plan)
            ahead.folderCount += chosen.count
        }
        for folder in chosen {
            let accepted = labour.ahead.submit { [self] in
                listAhead(folder)
                ahead.withLock { $0.folderCount -= 1 }
            }
            if !accepted { ahead.withLock { $0.folderCount -= 1 } }
        }
    }

    /// Once, and whoever asks meanwhile waits for it.
    private func listAhead(_ folder: Inode) {
        let need = Need.folder(folder)
        let isFirst = state.withLock { state in
            guard state.waiting[need] == nil else { return false }
            state.waiting[need] = []
            return true
        }
        if isFirst { finish(need, perform(need)) }
    }
}
