/// How much of what others do a transaction sees.
public enum PostgresIsolation: Sendable, CaseIterable {
    /// Each statement sees what was committed before it began. Rows that are decided upon are locked (`FOR UPDATE`).
    case readCommitted
    /// All statements see one moment. Changing a row that another changed since fails, and is tried again.
    case repeatableRead
    /// As if transactions ran one after the other. What cannot be so ordered fails, and is tried again.
    case serializable

    var sql: String {
        switch self {
        case .readCommitted: "READ COMMITTED"
        case .repeatableRead: "REPEATABLE READ"
        case .serializable: "SERIALIZABLE"
        }
    }
}
