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
    private let users: UsersClient
    private let tokens: AccessTokens
    /// Asked for where somebody names another region than the log-in's.
    private let known = Lock<[RegionRecord]?>(nil)

    private let line: LineLimits

    /// `line`: what it may take of the line.
    init(_ store: CredentialStore, line: LineLimits = LineLimits()) throws(CommandFailure) {
        self.line = line
        do throws(CredentialStore.Failure) { credentials = try store.load() } catch { throw CommandFailure(error) }
        self.store = store
        http = Call.http(Trust(credentials), line: line)
        users = UsersClient(url: credentials.usersURL, http: http)
        tokens = AccessTokens(credentials, store: store, users: users, logger: .silent)
        files = FilesClient(url: credentials.region.filesURL, http: http, tokens: tokens)
        account = AccountClient(url: credentials.usersURL, http: http, tokens: tokens)
    }

    /// All regions there are.
    func regions() throws(ClientFailure) -> [RegionRecord] {
        if let regions = known.withLock({ $0 }) { return regions }
        let regions = try users.regions()
        known.withLock { $0 = regions }
        return regions
    }

    /// A region's files service, for this account: others may share with it there.
    func files(of code: String) throws(CommandFailure) -> FilesClient {
        if code == credentials.region.code { return files }
        let regions: [RegionRecord]
        do throws(ClientFailure) { regions = try self.regions() } catch { throw CommandFailure(error) }
        guard let region = regions.first(where: { $0.code == code }) else {
            throw .failed("there is no region \(code); `daleks regions` lists them")
        }
        return files(of: region)
    }

    func files(of region: RegionRecord) -> FilesClient {
        if region.code == credentials.region.code { return files }
        return FilesClient(url: region.filesURL, http: http, tokens: tokens, isHome: false)
    }

    /// The same log-in with another client: for what has to be tidied up after this one was shut down.
    func again() throws(CommandFailure) -> AccountSession { try AccountSession(store, line: line) }

    func shutdown() {
        end.open()
        http.shutdown()
    }

    deinit { http.shutdown() }
}
