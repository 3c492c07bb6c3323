/// Who may make an account.
public enum RegistrationMode: String, CaseIterable, Sendable {
    /// Whoever shows that the address is theirs, by a link that is mailed there. Nobody finds out who has an account.
    case mail
    /// Anybody, at once. That tells whether there is an account with an address: for closed networks and trials.
    case open
    /// Nobody: administrators make accounts.
    case closed
}
