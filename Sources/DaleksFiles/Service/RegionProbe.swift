package import DaleksAPI
package import DaleksCore
package import DaleksHTTP
import DaleksHTTPClient
import DaleksSystem

/// What two steps of each request cost by themselves, for `bench/files`, which no request over a socket could show: the
/// check of a token, and the decision who is what to a node. It opens the database of a region that has stopped and
/// knows the keys that were kept there.
package final class RegionProbe: Sendable {
    private let store: TreeStore
    private let tokens: TokenVerifier
    private let client = HTTPClient()

    package init(stateFolder: String, usersURL: String, publicURL: String) throws {
        store = try StorageSettings().openStore(
            stateFolder,
            bytesQuota: 0,
            trashKept: Limits.Files.trashKept,
            time: .system,
            logger: .silent
        )
        let keys = KeySource(
            usersURL: usersURL,
            client: client,
            store: store,
            logger: .silent,
            measures: FilesMeasures(Metrics())
        )
        tokens = TokenVerifier(keys: keys, issuer: usersURL, logger: .silent)
        tokens.setAudience(publicURL)
    }

    package func close() {
        client.shutdown()
        store.close()
    }

    package func verify(_ token: String) throws(APIError) { _ = try tokens.verify(token) }

    /// The node's row, and all that says what the caller is to it.
    package func node(_ id: NodeID, for caller: UserID) throws(APIError) -> NodeRecord {
        try store.node(id, for: caller)
    }

    /// As after a change of rights: the next decision walks up to the root.
    package func forgetStandings() { store.access.forget() }
}
