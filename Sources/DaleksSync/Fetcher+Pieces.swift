import DaleksAPI
import DaleksCache
import DaleksCore
import DaleksSystem

/// Parts of spans for those who read a little here and there.
extension Fetcher {
    /// What is kept of them, oldest first: of all files at most so much.
    struct Glimpses {
        struct One {
            weak var content: FileContent?
            var piece: Int
        }

        /// 16 MiB.
        static let countMax = 256

        var kept: [One] = []
        var head = 0

        /// Takes one in, and says which is to be forgotten for it.
        mutating func keep(_ one: One) -> One? {
            kept.append(one)
            guard kept.count - head > Self.countMax else { return nil }
            defer {
                kept[head].content = nil
                head += 1
                if head > Self.countMax {
                    kept.removeFirst(head)
                    head = 0
                }
            }
            return kept[head]
        }
    }

    func fetchPieces(_ pieces: Range<Int>, of inode: Inode) throws(FetchFailure) {
        let perSpan = Limits.spanBytes / Limits.pieceBytes
        let spans = pieces.lowerBound / perSpan..<(pieces.upperBound - 1) / perSpan + 1
        guard regionCan(.batchedReads) else { return try fetchSpans(spans, of: inode) }
        let node = try row(inode)
        let content: FileContent
        do throws(Errno) { content = try tree.contents.use(inode) } catch { throw .local(error) }
        defer { tree.contents.release(inode) }
        let revision = content.state.withLock { $0.revision }
        let lacking = content.lackingPieces(pieces, of: revision)
        guard !lacking.isEmpty else { return }
        let reads = lacking.map { lacking in
            let start = Int64(lacking.piece / perSpan) * Int64(Limits.spanBytes)
            let range = Int(lacking.range.lowerBound - start)..<Int(lacking.range.upperBound - start)
            return ContentReads.Read(node: node.id, content: revision, index: lacking.piece / perSpan, range: range)
        }
        let answers: [ContentAnswers.Answer]
        do throws(RemoteError) { answers = try remote.read(ContentReads(reads)) } catch { throw .remote(error) }
        for (lacking, answer) in zip(lacking, answers) {
            guard case .bytes(var bytes) = answer, bytes.count <= lacking.range.count else {
                // Whatever it is, it is told in full to who asks for the whole.
                return try fetchSpans(spans, of: inode)
            }
            // A hole is shorter.
            bytes += [UInt8](repeating: 0, count: lacking.range.count - bytes.count)
            guard content.keep(bytes, asPiece: lacking.piece, of: revision) else { continue }
            let one = Glimpses.One(content: content, piece: lacking.piece)
            if let oldest = glimpses.withLock({ $0.keep(one) }) { oldest.content?.forget(piece: oldest.piece) }
        }
    }
}
