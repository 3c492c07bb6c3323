import DaleksAPI
import DaleksClient
import DaleksHTTP
import DaleksSystem

/// Why a verb did not do its work: one line that says what happened and what to do.
public enum CommandFailure: Error, Sendable {
    /// Exit code 1.
    case failed(String)
    /// Exit code 2.
    case usage(String)
    /// A signal ended it; what is left of it, or nothing.
    case interrupted(String)

    init(_ failure: ClientFailure) { self = .failed("\(failure)") }

    /// With what it is about, and what to do.
    init(_ failure: ClientFailure, at path: String) {
        if case .unreachable(let detail) = failure {
            self = .failed("\(detail); try again later, or let `daleks doctor` look for the cause")
            return
        }
        switch failure.code.flatMap({ APIError.Code(rawValue: $0) }) {
        case .notFound: self = .failed("\(path): there is no such file or folder")
        case .forbidden:
            self = .failed("\(path): you may not do this; `daleks who` shows what you may, and its owner can change it")
        case .alreadyExists:
            self = .failed("\(path): something has this name already; choose another, or remove it first")
        case .quotaExceeded:
            self = .failed(
                "\(path): your quota is used up; make room with `daleks rm`, or ask an administrator for more"
            )
        case nil: self = .failed("\(failure)")
        default: self = .failed("\(path): \(failure)")
        }
    }

    init(_ failure: CredentialStore.Failure) {
        switch failure {
        case .absent: self = .failed("nobody is logged in here; run `daleks login` first")
        case .unreadable(let reason): self = .failed(reason)
        }
    }
}
