/// The five characters by which PostgreSQL names an error: two for its class, three for the error.
enum SQLState {
    static func code(_ state: String) -> PostgresError.Code {
        switch state {
        case "40001": .serializationFailure
        case "40P01": .deadlock
        case "55P03": .lockNotAvailable
        case "57014": .timedOut
        case "57P01", "57P02", "25P03": .connectionLost
        case "57P03": .cannotConnect
        case "23505": .uniqueViolation
        case "23503": .foreignKeyViolation
        case "23502": .notNullViolation
        case "23514": .checkViolation
        case "23P01": .exclusionViolation
        case "25006": .readOnly
        default: codeOfClass(state.prefix(2))
        }
    }

    private static func codeOfClass(_ state: Substring) -> PostgresError.Code {
        switch state {
        case "08": .connectionLost
        case "22": .invalidValue
        case "28": .authenticationFailed
        case "40": .serializationFailure
        case "53": .insufficientResources
        default: .other
        }
    }

    /// Whether the server itself does not know what became of the transaction.
    static func leavesOutcomeUnknown(_ state: String) -> Bool { state == "08007" || state == "40003" }

    /// The server's own sentence where its class is known to quote names and the statement's text only, and a
    /// sentence of ours where it may quote a value (class 22 does, and what a function raises can be anything).
    static func safeMessage(_ state: String, _ message: String) -> String {
        switch state.prefix(2) {
        case "08", "0A", "23", "25", "26", "28", "2B", "3D", "3F", "40", "42", "53", "54", "55", "57", "58", "XX":
            message.split(whereSeparator: \.isNewline).joined(separator: " ")
        case "22": valueRefusals[state] ?? "the server refused a value"
        default: "the server refused the statement"
        }
    }

    private static let valueRefusals: [String: String] = [
        "22001": "a text is longer than its column allows",
        "22003": "a number is out of its column's range",
        "22007": "a text is not a date or time",
        "22008": "a date or time is out of range",
        "22012": "division by zero",
        "22021": "a text is not valid UTF-8 or holds a NUL",
        "22023": "a parameter's value is not allowed",
        "22P02": "a text cannot be read as its column's type",
        "22P03": "a binary value cannot be read as its column's type",
    ]
}
