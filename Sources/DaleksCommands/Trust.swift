import DaleksClient
import DaleksSystem
import Glibc

/// Whom a command believes to be the service that it asks, and what it dares to send there.
struct Trust: Hashable, Sendable {
    /// Certificates beside the system's, by their absolute path: a daemon works in another folder.
    var caFile: String?
    /// Also without TLS, to other machines.
    var allowsHTTP = false

    init(caFile: String? = nil, allowsHTTP: Bool = false) {
        (self.caFile, self.allowsHTTP) = (caFile, allowsHTTP)
    }

    init(_ credentials: Credentials) {
        self.init(caFile: credentials.caFile, allowsHTTP: credentials.allowsHTTP)
    }

    /// Of every command that takes a URL.
    static let options = [
        Option("ca-file", .text(placeholder: "FILE"), help: "Certificates (PEM) to trust beside the system's."),
        Option(
            "allow-http",
            .flag,
            help: "Also without TLS to other machines, where everybody on the way can read passwords and files. Only "
                + "where that way is safe by itself, such as in a VPN."
        ),
    ]
}

extension Call {
    /// As this very command says, else as the log-in does that is known.
    func trust(else known: Credentials? = nil) throws(CommandFailure) -> Trust {
        var trust = known.map { Trust($0) } ?? Trust()
        if settings.flag("allow-http") { trust.allowsHTTP = true }
        guard let file = settings.optionalText("ca-file") else { return trust }
        guard access(file, R_OK) == 0, let raw = realpath(file, nil) else {
            throw .failed("--ca-file: \(file) cannot be read: \(Errno.last)")
        }
        defer { free(raw) }
        trust.caFile = String(cString: raw)
        return trust
    }
}
