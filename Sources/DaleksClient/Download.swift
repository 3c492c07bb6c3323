import DaleksAPI
public import DaleksCore
import DaleksCrypto
import DaleksHTTP
import DaleksHTTPClient
public import DaleksSystem

/// Brings one content of a file here, goes on where a connection broke, and checks it against the region's digest.
///
/// ## Concurrency
/// One thread runs it. The sink is called on the client's threads, one call at a time; `state` is held for arithmetic
/// and for the hash of what has been handed on.
public final class Download: Sendable {
    fileprivate struct State: ~Copyable {
        var received: Int64 = 0
        var hash = SHA256()
        /// Of the span that is under way, and those of the spans before it: by them the region knows every content.
        var spanHash = SHA256()
        var spanBytes = 0
        var spans: [Digest] = []
        /// Why the sink would not take more.
        var failure: Errno?
    }

    private let files: FilesClient
    private let path: String
    private let node: NodeID
    private let content: Revision
    public let bytesTotal: Int64
    private let state = Lock(State())

    /// A content that is named stays what it is, whatever is written to the file meanwhile.
    public init(_ files: FilesClient, node: NodeID, content: Revision, bytes: Int64) {
        self.files = files
        self.node = node
        self.content = content
        path = content == 0 ? "/v1/nodes/\(node)/content" : "/v1/nodes/\(node)/versions/\(content)/content"
        bytesTotal = bytes
    }

    /// Bytes that an earlier run left here.
    public func resume(with bytes: UnsafeRawBufferPointer) { take(bytes) }

    public var received: Int64 { state.withLock { $0.received } }

    /// Returns whether the region knew a digest to check against.
    public func run(
        patience: Patience,
        to sink: @escaping @Sendable (UnsafeRawBufferPointer) throws(Errno) -> Void,
        progress: @escaping @Sendable (Int64) -> Void
    ) throws(TransferFailure) -> Bool {
        var patience = patience
        while true {
            let before = received
            let response: ClientResponse
            do throws(ClientFailure) {
                response = try attempt(from: before, sink, progress)
                guard received == bytesTotal else {
                    throw ClientFailure.unreachable("the answer ended after \(received) of \(bytesTotal) bytes")
                }
            } catch {
                if let failure = state.withLock({ $0.failure }) { throw .local(failure) }
                if received > before { patience.renew() }
                try patience.bear(error)
                continue
            }
            return try check(response.fields["Repr-Digest"], patience)
        }
    }

    private func attempt(
        from offset: Int64,
        _ sink: @escaping @Sendable (UnsafeRawBufferPointer) throws(Errno) -> Void,
        _ progress: @escaping @Sendable (Int64) -> Void
    ) throws(ClientFailure) -> ClientResponse {
        var request = ClientRequest(.get, files.url + path, deadline: Limits.Client.transferDeadline)
        request.load = .download
        if offset > 0 {
            // All of it is here: the last byte is asked for again, for the digest that comes with it.
            let start = offset == bytesTotal ? offset - 1 : offset
            request.fields.set("Range", "bytes=\(start)-")
        }
        request.onHead = { status, _ in offset == 0 || status == .partialContent }
        request.sink = .stream { [self] bytes throws(Errno) in
            // Never more than was announced, also where the last byte came twice.
            let room = bytesTotal - received
            let wanted = UnsafeRawBufferPointer(rebasing: bytes.prefix(Int(min(Int64(bytes.count), room))))
            if wanted.isEmpty { return true }
            do throws(Errno) { try sink(wanted) } catch {
                state.withLock { $0.failure = error }
                throw error
            }
            take(wanted)
            progress(received)
            return true
        }
        return try files.send(request)
    }

    private func take(_ bytes: UnsafeRawBufferPointer) {
        state.withLock { state in
            state.hash.update(bytes)
            state.received += Int64(bytes.count)
            var rest = bytes[...]
            while !rest.isEmpty {
                let part = rest.prefix(Limits.spanBytes - state.spanBytes)
                state.spanHash.update(UnsafeRawBufferPointer(rebasing: part))
                state.spanBytes += part.count
                rest = rest.dropFirst(part.count)
                if state.spanBytes == Limits.spanBytes { state.endSpan() }
            }
        }
    }

    /// By the digest of the whole, where the region knows it: `sha-256=:BASE64:`, among others perhaps. Else span by
    /// span.
    private func check(_ field: String?, _ patience: Patience) throws(TransferFailure) -> Bool {
        let (own, spans) = state.withLock { state in
            var hash = SHA256()
            swap(&hash, &state.hash)
            if state.spanBytes > 0 { state.endSpan() }
            return (hash.finalize(), state.spans)
        }
        if let field, let start = field.firstRange(of: "sha-256=:") {
            let text = field[start.upperBound...].prefix { $0 != ":" }
            guard Base64.decode(text, .standard) == own.bytes else { throw .corrupt }
            return true
        }
        return try check(spans, patience)
    }

    private func check(_ spans: [Digest], _ patience: Patience) throws(TransferFailure) -> Bool {
        // Never had any bytes, so nothing can be wrong with them.
        if content == 0 || bytesTotal == 0 { return true }
        var patience = patience
        while true {
            do throws(ClientFailure) {
                let manifest = try files.manifest(of: node, at: content)
                guard let isChecked = Self.agree(spans, with: manifest) else { break }
                return isChecked
            } catch {
                // A list that is too long to be had in one answer, or a content that was thinned meanwhile.
                guard case .unreachable = error else { return false }
                try patience.bear(error)
            }
        }
        throw .corrupt
    }

    /// Nil where a span is another one; false where one of them is told in a way that says nothing of its bytes here.
    private static func agree(_ own: [Digest], with manifest: Manifest) -> Bool? {
        var told: [Int: (digest: Digest, bytes: Int)] = [:]
        for span in manifest.spans {
            guard case .chunk(let digest) = span.source else { return false }
            told[span.index] = (digest, span.bytes)
        }
        var isAll = true
        for (index, digest) in own.enumerated() {
            let start = Int64(index) * Int64(Limits.spanBytes)
            let extent = Int(min(Int64(Limits.spanBytes), manifest.size - start))
            if let span = told[index] {
                if span.bytes != extent { isAll = false } else if span.digest != digest { return nil }
            } else if digest != SHA256.digest(of: [UInt8](repeating: 0, count: extent)) {
                return nil
            }
        }
        return isAll
    }
}

extension Download.State {
    fileprivate mutating func endSpan() {
        var hash = SHA256()
        swap(&hash, &spanHash)
        spans.append(hash.finalize())
        spanBytes = 0
    }
}
