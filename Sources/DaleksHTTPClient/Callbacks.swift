import CCurl
import Glibc

/// What libcurl calls, always on the driver's thread. Each `owner` is a `Transfer` that the driver holds for as long as
/// its easy handle is in the multi handle, so C borrows it.
enum Callbacks {
    static let header: daleks_curl_data = { bytes, size, count, owner in
        guard let bytes, let owner else { return 0 }
        let line = UnsafeRawBufferPointer(start: bytes, count: size * count)
        let isAccepted = transfer(owner).receivedHeader(line)
        // libcurl takes any other number as the wish to stop; a line is never empty.
        return isAccepted ? line.count : 0
    }

    static let write: daleks_curl_data = { bytes, size, count, owner in
        guard let bytes, let owner else { return 0 }
        let buffer = UnsafeRawBufferPointer(start: bytes, count: size * count)
        switch transfer(owner).receivedBody(buffer) {
        case .taken: return buffer.count
        case .pause: return Int(CURL_WRITEFUNC_PAUSE)
        case .abort: return Int(CURL_WRITEFUNC_ERROR)
        }
    }

    static let read: daleks_curl_data = { bytes, size, count, owner in
        guard let bytes, let owner else { return Int(CURL_READFUNC_ABORT) }
        let buffer = UnsafeMutableRawBufferPointer(start: bytes, count: size * count)
        switch transfer(owner).fillBody(buffer) {
        case .filled(let count): return count
        case .pause: return Int(CURL_READFUNC_PAUSE)
        case .abort: return Int(CURL_READFUNC_ABORT)
        }
    }

    static let seek: daleks_curl_seek = { owner, offset, origin in
        guard let owner, offset == 0, origin == SEEK_SET else { return Int32(CURL_SEEKFUNC_FAIL) }
        return transfer(owner).rewindBody() ? Int32(CURL_SEEKFUNC_OK) : Int32(CURL_SEEKFUNC_FAIL)
    }

    /// libcurl's own way leaves the socket open in every child process.
    static let openSocket: daleks_curl_open_socket = { _, _, address in
        guard let address else { return -1 }
        let kind = address.pointee.socktype | Int32(SOCK_CLOEXEC.rawValue)
        return socket(address.pointee.family, kind, address.pointee.`protocol`)
    }

    private static func transfer(_ owner: UnsafeMutableRawPointer) -> Transfer {
        Unmanaged<Transfer>.fromOpaque(owner).takeUnretainedValue()
    }
}
