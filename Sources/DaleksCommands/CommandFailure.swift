import DaleksClient
import DaleksSystem

/// Why a verb did not do its work: one line that says what happened and what to do.
public enum CommandFailure: Error, Sendable {
    /// Exit code 1.
    case failed(String)
    /// Exit code 2.
    case usage(String)

    init(_ failure: ClientFailure) { self = .failed("\(failure)") }

    init(_ failure: CredentialStore.Failure) {
        switch failure {
        case .absent: self = .failed("nobody is logged in here; run `daleks login` first")
        case .unreadable(let reason): self = .failed(reason)
        }
    }
}
