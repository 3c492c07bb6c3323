import DaleksAPI
public import DaleksCore
import DaleksCrypto
import DaleksHTTP
import DaleksHTTPClient
public import DaleksSystem

/// Where an upload is that did not come to its end.
public struct UploadMark: Hashable, Sendable {
    /// What the region calls it.
    public var location: String
    /// Over all that was sent up to there. Where the region is now is one of two places: the block that was under way
    /// came, or it did not.
    public var digests: [Int64: String]

    public init(location: String, digests: [Int64: String]) {
        self.location = location
        self.digests = digests
    }
}

/// Brings a file's bytes to the region in blocks, each with its checksum, and shows nothing of it before all are there.
///
/// What has the name by then becomes a version of what comes. A block that a broken connection swallowed is sent again
/// from where the region is (tus 1.0), and so does another run of the program, where somebody kept the mark.
public struct Upload {
    private let files: FilesClient
    private let folder: NodeID
    private let name: Name
    /// What it is to come to; nil where that shows only at the end.
    private let bytesTotal: Int64?
    private var patience: Patience
    /// What the region calls the upload, from its first answer to its end: what `abandon` takes back.
    public private(set) var location: String?
    /// How far it is, before each block that goes out: what `resume` goes on from.
    public var remember: ((UploadMark) -> Void)?
    /// What the region has.
    public private(set) var sent: Int64 = 0
    /// An earlier run got all of it there, and did not hear of it.
    private var finished: NodeID?
    /// Over the blocks that were sent, in order.
    private var digest = ""

    public init(_ files: FilesClient, name: Name, in folder: NodeID, bytes: Int64?, patience: Patience) {
        self.files = files
        self.name = name
        self.folder = folder
        bytesTotal = bytes
        self.patience = patience
    }

    /// `pull` fills the buffer as far as it likes, and answers 0 at the end. `progress` hears how many bytes the region
    /// has.
    public mutating func run(
        pull: (UnsafeMutableRawBufferPointer) throws(Errno) -> Int,
        progress: (Int64) -> Void
    ) throws(TransferFailure) -> NodeID {
        if let finished { return finished }
        var block: [UInt8] = []
        var isLast = false
        while !isLast {
            block = try fill(pull, reusing: block)
            isLast = block.count < Limits.Client.uploadBlockBytes || sent + Int64(block.count) == bytesTotal
            if let bytesTotal, isLast, sent + Int64(block.count) != bytesTotal { throw .shrunk }
            let node = try send(block, at: sent, isLast: isLast)
            digest = Self.digest(digest, with: block)
            sent += Int64(block.count)
            patience.renew()
            progress(sent)
            if isLast {
                location = nil
                guard let node else { throw .service(.malformed("the upload ended and nothing came of it")) }
                return node
            }
        }
        throw .shrunk
    }

    /// Goes on from where an earlier run was, if the region still has that and what `pull` gives is what was sent then;
    /// `run` sends the rest of it. False where it begins anew, and `pull` with it.
    public mutating func resume(
        _ mark: UploadMark,
        pull: (UnsafeMutableRawBufferPointer) throws(Errno) -> Int
    ) throws(TransferFailure) -> Bool {
        var state: (offset: Int64, node: NodeID?)?
        repeat {
            do throws(ClientFailure) {
                state = try ask(mark.location)
            } catch {
                // It is over, or it was taken back: whoever asks begins anew.
                guard case .unreachable = error else { return false }
                try patience.bear(error)
            }
        } while state == nil
        guard let state, let wanted = mark.digests[state.offset], (state.offset == bytesTotal) == (state.node != nil)
        else { return false }
        var block: [UInt8] = []
        while sent < state.offset {
            block = try fill(pull, reusing: block)
            guard !block.isEmpty else { break }
            sent += Int64(block.count)
            digest = Self.digest(digest, with: block)
        }
        guard sent == state.offset, digest == wanted else {
            (sent, digest) = (0, "")
            return false
        }
        (location, finished) = (mark.location, state.node)
        return true
    }

    private static func digest(_ before: String, with block: [UInt8]) -> String {
        var hash = SHA256()
        hash.update(Array(before.utf8))
        hash.update(block)
        return Hex.encode(hash.finalize().bytes)
    }

    /// Takes back what the region has of it. With another client than the one that was shut down.
    public func abandon(with files: FilesClient) {
        if let location { Self.abandon(location, with: files) }
    }

    public static func abandon(_ location: String, with files: FilesClient) {
        var request = Self.request(.delete, files.url + location)
        request.deadline = .seconds(5)
        // It expires by itself where nobody answers.
        _ = try? files.send(request)
    }

    private func fill(
        _ pull: (UnsafeMutableRawBufferPointer) throws(Errno) -> Int,
        reusing block: consuming [UInt8]
    ) throws(TransferFailure) -> [UInt8] {
        var block = block
        let size = Limits.Client.uploadBlockBytes
        if block.count < size { block += [UInt8](repeating: 0, count: size - block.count) }
        var filled = 0
        var failure: Errno?
        block.withUnsafeMutableBytes { buffer in
            do throws(Errno) {
                while filled < size {
                    let count = try pull(UnsafeMutableRawBufferPointer(rebasing: buffer[filled...]))
                    if count == 0 { return }
                    filled += count
                }
            } catch { failure = error }
        }
        if let failure { throw .local(failure) }
        block.removeLast(size - filled)
        return block
    }

    /// The node, once the upload is complete.
    private mutating func send(_ block: [UInt8], at offset: Int64, isLast: Bool) throws(TransferFailure) -> NodeID? {
        while true {
            do throws(ClientFailure) {
                guard let location else {
                    // Of what is large it is asked first whether it may come: who is refused while still sending may
                    // never get to read why.
                    guard block.count > Limits.Client.uploadUnaskedBytesMax else {
                        return try create(with: block, isLast: isLast)
                    }
                    _ = try create(with: [], isLast: false)
                    continue
                }
                return try append(block, at: offset, isLast: isLast, to: location)
            } catch {
                try patience.bear(error)
            }
            if let location, let state = try? ask(location), state.offset == offset + Int64(block.count) {
                // It was the answer that got lost. A length that came with the block was taken in too.
                if !isLast || state.node != nil { return state.node }
            }
        }
    }

    /// With the first block in the same request: a small file takes one round trip.
    private mutating func create(with block: [UInt8], isLast: Bool) throws(ClientFailure) -> NodeID? {
        var request = Self.request(.post, files.url + Routes.Files.uploads)
        let names = [("parent", "\(folder)".utf8.map { $0 }), ("filename", name.bytes)]
        let words = names.map { "\($0.0) \(Base64.encode($0.1, .standard))" }
        request.fields.set("Upload-Metadata", words.joined(separator: ","))
        let length = isLast ? Int64(block.count) : bytesTotal
        if let length {
            request.fields.set("Upload-Length", "\(length)")
        } else {
            request.fields.set("Upload-Defer-Length", "1")
        }
        if !block.isEmpty { Self.carry(block, in: &request) }
        let response = try files.send(request)
        location = try Self.place(response.fields["Location"], at: files.url)
        return Self.node(response)
    }

    /// The path of an upload. A region behind a gateway names all of its URL; the token is for no other place.
    private static func place(_ location: String?, at region: String) throws(ClientFailure) -> String {
        guard let location else { throw .malformed("the upload was made and has no place") }
        if location.hasPrefix("/") { return location }
        guard location.hasPrefix(region + "/") else { throw .malformed("the upload is at another place: \(location)") }
        return String(location.dropFirst(region.count))
    }

    private func append(
        _ block: [UInt8],
        at offset: Int64,
        isLast: Bool,
        to location: String
    ) throws(ClientFailure) -> NodeID? {
        remember?(
            UploadMark(
                location: location,
                digests: [offset: digest, offset + Int64(block.count): Self.digest(digest, with: block)]
            )
        )
        var request = Self.request(.patch, files.url + location)
        request.fields.set("Upload-Offset", "\(offset)")
        if isLast { request.fields.set("Upload-Length", "\(offset + Int64(block.count))") }
        Self.carry(block, in: &request)
        return Self.node(try files.send(request))
    }

    private func ask(_ location: String) throws(ClientFailure) -> (offset: Int64, node: NodeID?) {
        var request = Self.request(.head, files.url + location)
        request.deadline = Limits.Client.requestDeadline
        let response = try files.send(request)
        guard let offset = response.fields["Upload-Offset"].flatMap({ Int64($0) }) else {
            throw .malformed("an upload has no offset")
        }
        return (offset, Self.node(response))
    }

    private static func request(_ method: HTTPMethod, _ url: String) -> ClientRequest {
        var request = ClientRequest(method, url, deadline: Limits.Client.blockDeadline)
        request.fields.set("Tus-Resumable", "1.0.0")
        return request
    }

    private static func carry(_ block: [UInt8], in request: inout ClientRequest) {
        request.fields.set("Content-Type", "application/offset+octet-stream")
        let digest = SHA256.digest(of: block)
        request.fields.set("Upload-Checksum", "sha256 \(Base64.encode(digest.bytes, .standard))")
        request.body = .bytes(block)
        request.load = .upload
    }

    private static func node(_ response: ClientResponse) -> NodeID? {
        response.fields["Daleks-Node"].flatMap { NodeID($0) }
    }
}
