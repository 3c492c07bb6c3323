import DaleksCore

/// SQLite's own look at every page.
struct Verification {
    let thorough: Bool

    func problems(_ connection: borrowing Connection) throws -> [String] {
        // A literal each: a statement's text is never put together from parts where it need not be.
        let check: SQL = thorough ? "PRAGMA integrity_check(100)" : "PRAGMA quick_check(100)"
        let found = try connection.query(check) { try $0.text(0) }
        let damage = found == ["ok"] ? [] : found
        return thorough ? damage + (try danglingRows(connection)) : damage
    }

    private func danglingRows(_ connection: borrowing Connection) throws -> [String] {
        var problems: [String] = []
        try connection.withStatement("PRAGMA foreign_key_check") { statement in
            while try statement.step(), problems.count < Limits.SQLite.problemsMax {
                problems.append("a row of \(try statement.text(0)) points at nothing in \(try statement.text(2))")
            }
        }
        return problems
    }
}
