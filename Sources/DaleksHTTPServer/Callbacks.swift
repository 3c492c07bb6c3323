import CMicroHTTPD
import DaleksHTTP

/// What libmicrohttpd and GnuTLS call, on threads of theirs.
///
/// The daemon's context is the server's core, borrowed: the server stops the daemon before it lets the core go. A
/// connection's context is its record, retained from its start to its end. A request's context is its exchange,
/// retained from its first line until it is completed.
enum Callbacks {
    static let access: MHD_AccessHandlerCallback = { context, connection, _, method, version, upload, size, request in
        guard let context, let connection, let method, let version, let size, let exchange = request?.pointee else {
            return MHD_Result.NO
        }
        _ = context
        return Unmanaged<Exchange>.fromOpaque(exchange).takeUnretainedValue()
            .handle(connection, method, version, upload, size)
    }

    static let target:
        @convention(c) (
            UnsafeMutableRawPointer?, UnsafePointer<CChar>?, OpaquePointer?
        ) -> UnsafeMutableRawPointer? = { context, target, connection in
            guard let context, let connection, let raw = daleks_mhd_socket_context(connection) else { return nil }
            let core = Unmanaged<ServerCore>.fromOpaque(context).takeUnretainedValue()
            let record = Unmanaged<ConnectionRecord>.fromOpaque(raw).takeUnretainedValue()
            return Unmanaged.passRetained(core.begin(record, target: target)).toOpaque()
        }

    static let completed: MHD_RequestCompletedCallback = { _, connection, request, ending in
        guard let raw = request?.pointee else { return }
        request?.pointee = nil
        let isComplete = ending == MHD_RequestTerminationCode.REQUEST_TERMINATED_COMPLETED_OK
        // What libmicrohttpd refuses by itself (a field without a colon, say) never comes to `access`.
        let status = connection.map { Int(daleks_mhd_status($0)) } ?? 0
        Unmanaged<Exchange>.fromOpaque(raw).takeRetainedValue().finished(isComplete: isComplete, status: status)
    }

    static let connection: MHD_NotifyConnectionCallback = { context, connection, socketContext, what in
        guard let context, let connection, let socketContext else { return }
        let core = Unmanaged<ServerCore>.fromOpaque(context).takeUnretainedValue()
        if what == MHD_ConnectionNotificationCode.CONNECTION_NOTIFY_STARTED {
            guard let record = core.table.record(daleks_mhd_socket(connection)) else { return }
            socketContext.pointee = Unmanaged.passRetained(record).toOpaque()
        } else if let raw = socketContext.pointee {
            socketContext.pointee = nil
            core.table.remove(Unmanaged<ConnectionRecord>.fromOpaque(raw).takeRetainedValue())
        }
    }

    /// We decode targets ourselves, from what `target` saw.
    static let unescape:
        @convention(c) (
            UnsafeMutableRawPointer?, OpaquePointer?, UnsafeMutablePointer<CChar>?
        ) -> Int = { _, _, text in
            text.map { strlen($0) } ?? 0
        }

    static let field: MHD_KeyValueIteratorN = { context, _, name, nameCount, value, valueCount in
        guard let collector = context?.assumingMemoryBound(to: FieldCollector.self), let name else {
            return MHD_Result.NO
        }
        collector.pointee.append(bytes(name, nameCount), bytes(value, valueCount))
        return MHD_Result.YES
    }

    private static func bytes(_ pointer: UnsafePointer<CChar>?, _ count: Int) -> UnsafeBufferPointer<UInt8> {
        let raw = UnsafeRawBufferPointer(start: pointer, count: pointer == nil ? 0 : count)
        return raw.assumingMemoryBound(to: UInt8.self)
    }

    static let fill: MHD_ContentReaderCallback = { context, _, buffer, count in
        guard let context, let buffer else { return -2 }
        return Unmanaged<OutputSession>.fromOpaque(context).takeUnretainedValue()
            .fill(UnsafeMutableRawBufferPointer(start: buffer, count: count))
    }

    static let freeFill: MHD_ContentReaderFreeCallback = { context in
        if let context { Unmanaged<OutputSession>.fromOpaque(context).release() }
    }

    /// GnuTLS asks for the certificate of a handshake; libmicrohttpd made the connection the session's pointer.
    static let certificate:
        @convention(c) (
            gnutls_session_t?, UnsafePointer<gnutls_datum_t>?, Int32, UnsafePointer<gnutls_pk_algorithm_t>?, Int32,
            UnsafeMutablePointer<UnsafeMutablePointer<gnutls_pcert_st>?>?, UnsafeMutablePointer<UInt32>?,
            UnsafeMutablePointer<gnutls_privkey_t?>?
        ) -> Int32 = { session, _, _, _, _, chain, count, key in
            guard let session, let chain, let count, let key,
                let connection = gnutls_session_get_ptr(session),
                let raw = daleks_mhd_socket_context(OpaquePointer(connection)),
                let certificate = Unmanaged<ConnectionRecord>.fromOpaque(raw).takeUnretainedValue().certificates?
                    .current
            else { return -1 }
            chain.pointee = daleks_tls_chain(certificate.raw)
            count.pointee = certificate.raw.pointee.count
            key.pointee = certificate.raw.pointee.key
            return 0
        }
}
