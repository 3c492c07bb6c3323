import DaleksAPI
import DaleksCache
import DaleksCore
import DaleksCrypto
import DaleksSystem

/// Makes a commit out of a file's dirty spans: hash, ask what the region lacks, put that, name all of it.
///
/// ## Concurrency
/// One call works on one snapshot, on the caller's thread; calls for different files run side by side. At most
/// `windowSpanCount` spans of one file are in memory at a time.
struct Uploader: Sendable {
    /// 16 MiB of a file at once: enough to keep a region busy, little enough for a small machine.
    private static let windowSpanCount = 16

    let remote: any Remote
    let pool: any WorkQueue

    /// The spans of a small commit, with their bytes inside; nil where it is too large for that.
    func inlineSpans(of content: FileContent, _ snapshot: ContentSnapshot) throws(Errno) -> [Span]? {
        let total = snapshot.spans.reduce(0) { $0 + FileContent.bytes(in: $1, ofSize: snapshot.size) }
        guard total <= Limits.Wire.inlineBytesMax else { return nil }
        var spans: [Span] = []
        for index in snapshot.spans {
            let bytes = try snapshot.read(index, from: content.backing)
            guard !bytes.isEmpty else { continue }
            spans.append(Span(index: index, bytes: bytes.count, source: .inline(bytes)))
        }
        return spans
    }

    /// Uploads what the region lacks and answers the spans by digest.
    func upload(_ content: FileContent, _ snapshot: ContentSnapshot) throws(UploadFailure) -> [Span] {
        var spans: [Span] = []
        var position = 0
        while position < snapshot.spans.count {
            let window = snapshot.spans[position..<min(position + Self.windowSpanCount, snapshot.spans.count)]
            spans += try upload(window, content, snapshot)
            position += window.count
        }
        return spans
    }

    private func upload(
        _ window: ArraySlice<Int>,
        _ content: FileContent,
        _ snapshot: ContentSnapshot
    ) throws(UploadFailure) -> [Span] {
        var chunks: [Digest: [UInt8]] = [:]
        var spans: [Span] = []
        for index in window {
            let bytes: [UInt8]
            do throws(Errno) {
                bytes = try snapshot.read(index, from: content.backing)
            } catch {
                throw .local(error)
            }
            guard !bytes.isEmpty else { continue }
            if Self.isZero(bytes) {
                spans.append(Span(index: index, bytes: bytes.count, source: .hole))
            } else {
                let digest = SHA256.digest(of: bytes)
                chunks[digest] = bytes
                spans.append(Span(index: index, bytes: bytes.count, source: .chunk(digest)))
            }
        }
        try put(chunks)
        for index in window { snapshot.finished(index) }
        return spans
    }

    /// Puts those of the chunks that the region lacks, several at a time.
    private func put(_ chunks: [Digest: [UInt8]]) throws(UploadFailure) {
        guard !chunks.isEmpty else { return }
        let missing: [Digest]
        do throws(RemoteError) {
            missing = try remote.missing(Array(chunks.keys))
        } catch {
            throw .remote(error)
        }
        let outcome = Condition<(left: Int, failure: RemoteError?)>((missing.count, nil))
        for digest in missing {
            guard let bytes = chunks[digest] else {
                throw .remote(.refused(code: "internal", detail: "unasked digest"))
            }
            let remote = remote
            let job: @Sendable () -> Void = {
                var failure: RemoteError?
                do throws(RemoteError) { try remote.put(bytes, digest: digest) } catch { failure = error }
                outcome.withLock { $0 = ($0.left - 1, $0.failure ?? failure) }
                outcome.broadcast()
            }
            if !pool.submit(job) { job() }
        }
        let failure = outcome.waitThrowing(until: { $0.left == 0 }) { $0.failure }
        if let failure { throw .remote(failure) }
    }

    private static func isZero(_ bytes: [UInt8]) -> Bool {
        bytes.withUnsafeBytes { buffer in
            // Content that is not zero shows it at once nearly always, so the loop is short where it matters.
            buffer.allSatisfy { $0 == 0 }
        }
    }
}

enum UploadFailure: Error {
    case local(Errno)
    case remote(RemoteError)
}
