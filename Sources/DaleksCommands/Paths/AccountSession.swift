import DaleksAPI
import DaleksClient
import DaleksCore
import DaleksHTTPClient
import DaleksSystem

/// A log-in of this machine at work: its region and its users service, over one HTTP client.
final class AccountSession: Sendable {
    let credentials: Credentials
    let files: FilesClient
    let account: AccountClient
    /// Opened when the work is to end.
    let end = Gate()
    private let store: CredentialStore
    private let http: HTTPClient

    init(_ store: CredentialStore) throws(CommandFailure) {
        do throws(CredentialStore.Failure) { credentials = try store.load() } catch { throw CommandFailure(error) }
        self.store = store
        http = Call.http(caFile: credentials.caFile)
        let users = UsersClient(url: credentials.usersURL, http: http)
        let tokens = AccessTokens(credentials, store: store, users: users, logger: .silent)
        files = FilesClient(url: credentials.region.filesURL, http: http, tokens: tokens)
        account = AccountClient(url: credentials.usersURL, http: http, tokens: tokens)
    }

    /// The same log-in with another client: for what has to be tidied up after this one was shut down.
    func again() throws(CommandFailure) -> AccountSession { try AccountSession(store) }

    func shutdown() {
        end.open()
        http.shutdown()
    }

    deinit { http.shutdown() }
}
