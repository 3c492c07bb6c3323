import CPostgres
import DaleksCore
import DaleksSystem
import Glibc

extension Wire {
    /// Connects to one host. Looking up its name blocks for as long as the system's resolver does.
    static func connect(_ settings: [PostgresURL.Setting], deadline: Instant) throws(PostgresError) -> Wire {
        guard let raw = start(settings) else {
            throw PostgresError(.cannotConnect, "out of memory while connecting to the database")
        }
        PQsetNoticeReceiver(raw, Callbacks.dropNotice, nil)
        // Only so does a refused connection carry its SQLSTATE; libpq keeps no result of one.
        PQsetErrorVerbosity(raw, PQERRORS_VERBOSE)
        // The wire owns the handle from here on, and a failure below finishes it.
        let wire = Wire(owning: raw)
        guard PQstatus(raw) != CONNECTION_BAD else { throw refusal(raw) }
        var direction = Int16(POLLOUT)
        while true {
            let rest = deadline - TimeSource.system.now
            guard rest > .zero else {
                throw PostgresError(.cannotConnect, "the database did not accept a connection in time")
            }
            var descriptor = pollfd(fd: PQsocket(raw), events: direction, revents: 0)
            guard Glibc.poll(&descriptor, 1, Int32(clamping: rest.milliseconds + 1)) > 0 else { continue }
            switch PQconnectPoll(raw) {
            case PGRES_POLLING_OK:
                // What the server says from now on is read field by field.
                PQsetErrorVerbosity(raw, PQERRORS_TERSE)
                return wire
            case PGRES_POLLING_READING: direction = Int16(POLLIN)
            case PGRES_POLLING_WRITING: direction = Int16(POLLOUT)
            default: throw refusal(raw)
            }
        }
    }

    private static func start(_ settings: [PostgresURL.Setting]) -> OpaquePointer? {
        let keywords = settings.map { strdup($0.keyword) }
        let values = settings.map { strdup($0.value) }
        defer { for text in keywords + values { free(text) } }
        return PQconnectStartParams(
            keywords.map { UnsafePointer($0) } + [nil],
            values.map { UnsafePointer($0) } + [nil],
            0
        )
    }

    /// Before there is a session no statement has run, so that libpq's text quotes hosts, users and files, no values.
    private static func refusal(_ raw: OpaquePointer) -> PostgresError {
        let text = PQerrorMessage(raw).map { String(cString: $0) } ?? ""
        let lines = text.split(whereSeparator: \.isNewline).filter { !$0.hasPrefix("LOCATION:") }
        var message = lines.map { $0.split(separator: " ").joined(separator: " ") }.joined(separator: "; ")
        var state: String?
        // `FATAL:  28P01: password authentication failed for user "eve"`
        if let range = message.firstRange(ofSQLStateAfter: "FATAL: ") {
            state = String(message[range])
            message.removeSubrange(range.lowerBound..<message.index(range.upperBound, offsetBy: 2))
        }
        let code: PostgresError.Code = state?.hasPrefix("28") == true ? .authenticationFailed : .cannotConnect
        return PostgresError(code, message.isEmpty ? "no connection to the database" : message, sqlState: state)
    }
}

extension String {
    /// Where five capitals and digits stand between `marker` and `: `.
    fileprivate func firstRange(ofSQLStateAfter marker: String) -> Range<Index>? {
        var start = startIndex
        while start < endIndex {
            let rest = self[start...]
            if rest.hasPrefix(marker) {
                let state = rest.dropFirst(marker.count).prefix(5)
                let isState = state.utf8.count == 5 && state.allSatisfy { $0.isNumber || $0.isUppercase }
                if isState, self[state.endIndex...].hasPrefix(": ") { return state.startIndex..<state.endIndex }
            }
            start = index(after: start)
        }
        return nil
    }
}
