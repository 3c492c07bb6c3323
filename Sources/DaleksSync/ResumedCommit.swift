import DaleksAPI
import DaleksCore
import DaleksCrypto

/// A commit that an earlier run of the daemon sent, and of which the answer comes now: nobody counted which of its
/// spans were written again since, so they are compared with what was sent.
enum ResumedCommit {
    static func changedSpans(of content: FileContent, since commit: Mutation.Commit) -> Set<Int> {
        let size = content.live.size
        return Set(commit.spans.filter { !isSame($0, content, size, commit.size) }.map(\.index))
    }

    private static func isSame(_ span: Span, _ content: FileContent, _ size: Int64, _ sent: Int64) -> Bool {
        let count = FileContent.bytes(in: span.index, ofSize: size)
        guard count == FileContent.bytes(in: span.index, ofSize: sent), count == span.bytes,
            let bytes = try? content.backing.bytes(count: count, at: Int64(span.index) * Int64(Limits.spanBytes))
        else { return false }
        return switch span.source {
        case .inline(let sent): bytes == sent
        case .chunk(let digest): SHA256.digest(of: bytes) == digest
        case .hole: bytes.allSatisfy { $0 == 0 }
        // Sent once more: what comes of it is the same.
        case .split: false
        }
    }
}
