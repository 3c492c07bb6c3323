/// Why a service did not start or did not do as it was told: one line that says what to do.
public struct ServiceFailure: Error, Equatable, Sendable, CustomStringConvertible {
    public let description: String

    public init(_ description: String) { self.description = description }
}
