import CFuse
import DaleksCore
import DaleksSystem
import Glibc

/// One request as a callback got it: whose file system it is for, who asks, and the right to answer.
struct Call: ~Copyable {
    private let raw: OpaquePointer
    private let session: Unmanaged<FUSESession>

    /// Nil cannot happen: libfuse always passes a request of a session of ours.
    @inline(__always)
    init?(_ raw: OpaquePointer?) {
        guard let raw, let data = fuse_req_userdata(raw) else { return nil }
        self.raw = raw
        // The session outlives its requests: `run` holds it while there are callbacks.
        session = Unmanaged.fromOpaque(data)
    }

    var fileSystem: any FUSEFileSystem {
        @inline(__always) get { session._withUnsafeGuaranteedRef { $0.fileSystem } }
    }

    var request: FUSERequest { @inline(__always) get { FUSERequest(raw) } }

    /// Once.
    @inline(__always)
    borrowing func pending() -> PendingRequest { PendingRequest(raw, session: session) }

    /// The name of an entry; nil where it was too long for any, which has then been answered.
    @inline(__always)
    borrowing func name(_ name: UnsafePointer<CChar>?) -> FUSEName? {
        let bytes = text(name)
        if bytes.count <= Limits.nameBytesMax { return bytes }
        pending().error(.nameTooLong)
        return nil
    }

    @inline(__always)
    borrowing func text(_ text: UnsafePointer<CChar>?) -> FUSEName {
        guard let text else { return FUSEName(start: nil, count: 0) }
        return FUSEName(start: UnsafeRawPointer(text).assumingMemoryBound(to: UInt8.self), count: strlen(text))
    }

    /// For requests that are not answered, only put back.
    borrowing func none() { fuse_reply_none(raw) }
}
