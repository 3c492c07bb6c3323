import DaleksSystem

/// What `/metrics` tells beside the server's own numbers.
struct UsersMeasures: Sendable {
    let registered: Counter
    let registrationsRefused: Counter
    let loginsDone: Counter
    let loginsRefused: Counter
    let loginsBlocked: Counter
    let refreshesDone: Counter
    let refreshesRepeated: Counter
    let refreshesReused: Counter
    let refreshesRefused: Counter
    let sessionsRevoked: Counter
    let clientGrants: Counter
    let passwordHashes: Counter

    init(_ metrics: Metrics) {
        func registrations(_ outcome: String) -> Counter {
            metrics.counter(
                "daleks_users_registrations_total",
                help: "Registrations by outcome.",
                labels: ["outcome": outcome]
            )
        }
        func logins(_ outcome: String) -> Counter {
            metrics.counter("daleks_users_logins_total", help: "Log-ins by outcome.", labels: ["outcome": outcome])
        }
        func refreshes(_ outcome: String) -> Counter {
            metrics.counter("daleks_users_refreshes_total", help: "Refreshes by outcome.", labels: ["outcome": outcome])
        }
        registered = registrations("done")
        registrationsRefused = registrations("taken")
        loginsDone = logins("done")
        loginsRefused = logins("refused")
        loginsBlocked = logins("blocked")
        refreshesDone = refreshes("done")
        refreshesRepeated = refreshes("repeated")
        refreshesReused = refreshes("reused")
        refreshesRefused = refreshes("refused")
        sessionsRevoked = metrics.counter("daleks_users_sessions_revoked_total", help: "Sessions ended on request.")
        clientGrants = metrics.counter(
            "daleks_users_client_grants_total",
            help: "Tokens for programs that act for themselves."
        )
        passwordHashes = metrics.counter(
            "daleks_users_password_hashes_total",
            help: "Passwords hashed, to store or check."
        )
    }
}
