public import DaleksCore

/// Where things are, for those who serve them (patterns) and those who ask (paths). See docs/wire.md.
public enum Routes {
    public enum Users {
        public static let users = "/v1/users"
        public static let login = "/v1/login"
        public static let me = "/v1/me"
        public static let regions = "/v1/regions"
        public static let token = "/oauth/token"
        public static let revoke = "/oauth/revoke"
        public static let authorize = "/oauth/authorize"
        public static let deviceAuthorization = "/oauth/device_authorization"
        public static let introspect = "/oauth/introspect"
        public static let userInfo = "/oauth/userinfo"
        public static let keys = "/.well-known/jwks.json"
        public static let metadata = "/.well-known/oauth-authorization-server"
        public static let verify = "/v1/users/verify"
        public static let find = "/v1/users/find"
        public static let names = "/v1/users/names"
        public static let forgotPassword = "/v1/password/forgot"
        public static let resetPassword = "/v1/password/reset"
        public static let enrolments = "/v1/enrolments"
        public static let revocations = "/v1/revocations"
        public static let openIDMetadata = "/.well-known/openid-configuration"
        public static let openAPI = "/openapi.json"
        public static let documentation = "/docs"
    }

    public enum Files {
        public static let openAPI = "/openapi.json"
        public static let documentation = "/docs"
        public static let capabilities = "/v1/capabilities"
        public static let tree = "/v1/tree"
        public static let usage = "/v1/usage"
        public static let mutations = "/v1/mutations"
        public static let missingChunks = "/v1/chunks/missing"
        public static let chunks = "/v1/chunks"
        public static let content = "/v1/content"
        public static let changes = "/v1/changes"
        public static let leases = "/v1/leases"

        public static let nodePattern = "/v1/nodes/:id"
        public static let childrenPattern = "/v1/nodes/:id/children"
        public static let manifestPattern = "/v1/nodes/:id/content/:revision"
        public static let spanPattern = "/v1/nodes/:id/content/:revision/spans/:index"
        public static let chunkPattern = "/v1/chunks/:digest"
        public static let leasePattern = "/v1/nodes/:id/lease"

        public static let accessPattern = "/v1/nodes/:id/access"
        public static let grantsPattern = "/v1/nodes/:id/grants"
        public static let grantPattern = "/v1/nodes/:id/grants/:user"
        public static let visibilityPattern = "/v1/nodes/:id/visibility"
        public static let nodeTransferPattern = "/v1/nodes/:id/transfer"
        public static let transfers = "/v1/transfers"
        public static let transferPattern = "/v1/transfers/:id"
        public static let transferAcceptPattern = "/v1/transfers/:id/accept"
        public static let sharedWithMe = "/v1/shared-with-me"
        public static let sharedByMe = "/v1/shared-by-me"
        public static let versionsPattern = "/v1/nodes/:id/versions"
        public static let versionPattern = "/v1/nodes/:id/versions/:revision"
        public static let versionRestorePattern = "/v1/nodes/:id/versions/:revision/restore"
        public static let trash = "/v1/trash"
        public static let trashItemPattern = "/v1/trash/:id"
        public static let trashRestorePattern = "/v1/trash/:id/restore"

        public static let contentPattern = "/v1/nodes/:id/content"
        public static let versionContentPattern = "/v1/nodes/:id/versions/:revision/content"
        public static let nodeFilesPattern = "/v1/nodes/:id/files"
        public static let copyPattern = "/v1/nodes/:id/copy"
        public static let zipPattern = "/v1/nodes/:id/zip"
        public static let nodePathPattern = "/v1/nodes/:id/path"
        public static let nodeLinksPattern = "/v1/nodes/:id/links"
        public static let signedURLsPattern = "/v1/nodes/:id/signed-urls"
        public static let pathPattern = "/v1/paths/*path"
        public static let itemPattern = "/v1/items/*path"
        public static let search = "/v1/search"
        public static let audit = "/v1/audit"
        public static let links = "/v1/links"
        public static let uploads = "/v1/uploads"
        public static let uploadPattern = "/v1/uploads/:id"
        public static let linkPattern = "/v1/links/:id"
        public static let publicPattern = "/p/:id"
        public static let publicPathPattern = "/p/:id/*path"
        public static let signedPattern = "/s/:id/:content/:expires/:issuer/:mac"
        public static let visitPattern = "/l/:token"
        public static let visitOpenPattern = "/l/:token/open"
        public static let visitZipPattern = "/l/:token/zip"
        public static let visitContentPattern = "/l/:token/content"
        public static let visitPathPattern = "/l/:token/content/*path"

        public static func upload<Kind>(_ id: Identifier<Kind>) -> String { "/v1/uploads/\(id)" }
        public static func content(of id: NodeID) -> String { "/v1/nodes/\(id)/content" }
        public static func nodeLinks(of id: NodeID) -> String { "/v1/nodes/\(id)/links" }
        public static func link(_ id: LinkID) -> String { "/v1/links/\(id)" }

        public static func access(to id: NodeID) -> String { "/v1/nodes/\(id)/access" }
        public static func grants(on id: NodeID) -> String { "/v1/nodes/\(id)/grants" }
        public static func grant(to user: UserID, on id: NodeID) -> String { "/v1/nodes/\(id)/grants/\(user)" }
        public static func visibility(of id: NodeID) -> String { "/v1/nodes/\(id)/visibility" }
        public static func versions(of id: NodeID) -> String { "/v1/nodes/\(id)/versions" }
        public static func version(_ content: Revision, of id: NodeID) -> String {
            "/v1/nodes/\(id)/versions/\(content)"
        }
        public static func versionRestore(_ content: Revision, of id: NodeID) -> String {
            "/v1/nodes/\(id)/versions/\(content)/restore"
        }
        public static func trashItem(_ id: NodeID) -> String { "/v1/trash/\(id)" }
        public static func trashRestore(_ id: NodeID) -> String { "/v1/trash/\(id)/restore" }
        /// For a chunk that is meant for the tree of `node`, somebody else's.
        public static func chunk(_ digest: Digest, for node: NodeID) -> String { "/v1/chunks/\(digest)?node=\(node)" }

        public static func node(_ id: NodeID) -> String { "/v1/nodes/\(id)" }

        public static func children(of id: NodeID, after name: Name?, limit: Int) -> String {
            let start = name.map { "&after=\(Base64.encode($0.bytes))" } ?? ""
            return "/v1/nodes/\(id)/children?limit=\(limit)\(start)"
        }

        public static func manifest(of id: NodeID, at revision: Revision, inPieces: Bool = false) -> String {
            "/v1/nodes/\(id)/content/\(revision)\(inPieces ? "?pieces=1" : "")"
        }

        public static func span(_ index: Int, of id: NodeID, at revision: Revision) -> String {
            "/v1/nodes/\(id)/content/\(revision)/spans/\(index)"
        }

        public static func chunk(_ digest: Digest) -> String { "/v1/chunks/\(digest)" }
        public static func lease(on id: NodeID) -> String { "/v1/nodes/\(id)/lease" }
        public static func lease(_ number: Int64, of device: DeviceID, on id: NodeID) -> String {
            "/v1/nodes/\(id)/lease?device=\(device)&number=\(number)"
        }

        public static func changes(after cursor: String, by device: DeviceID?, waitSeconds: Int) -> String {
            "/v1/changes?after=\(cursor)&wait=\(waitSeconds)" + (device.map { "&device=\($0)" } ?? "")
        }
    }
}

extension Limits {
    /// What one request of the wire may hold; `/v1/capabilities` tells clients.
    public enum Wire {
        /// One transaction at the region: long enough to amortise its barrier, short enough not to hold others up.
        public static let batchOperationCountMax = 1_000
        /// A batch with inline contents must fit memory many times over.
        public static let batchBytesMax = 8 << 20
        /// A folder of 100,000 takes 25 round trips; a page stays under 2 MiB.
        public static let childrenPageCountMax = 4_096
        /// Contents up to here ride inside the batch: one round trip for a small file instead of three.
        public static let inlineBytesMax = 64 << 10
        /// A query for chunks: 4,096 digests are 4 GiB of content.
        public static let digestQueryCountMax = 4_096
        /// The body of a request or answer that holds many chunks: sixteen whole spans, or hundreds of small ones.
        public static let chunkBatchBytesMax = 16 << 20
        /// Chunks in one such body: one barrier for all of them.
        public static let chunkBatchCountMax = 1_024
        /// Proxies commonly cut idle requests at 60 seconds.
        public static let changesWaitSecondsMax = 60
        /// How long a lease may hold unless it is renewed: so long others wait for a machine that died.
        public static let leaseSecondsMax = 30
        /// How long a request waits for a lease or for news of one: leases want to be renewed by then.
        public static let leaseWaitSecondsMax = 15
        /// Files that one device has leases on at a time: what one request renews in a few milliseconds.
        public static let leaseCountMax = 1_024
        /// Trees that one request follows: more than anybody has others' shares from.
        public static let followedTreeCountMax = 256
        /// Shares, versions, trash: what a page of a list holds.
        public static let listPageCountMax = 1_000
        /// Grants that come with a new node.
        public static let newGrantCountMax = 100
        /// A link's password.
        public static let linkPasswordBytesMax = 256
        /// A signed URL ends after seven days at the latest.
        public static let signedSecondsMax: Int64 = 7 * 86_400
        /// What a version is called.
        public static let labelBytesMax = 255
        /// A page of the feed.
        public static let changesPageCountMax = 1_000
        /// Ids that one question for names may hold: what one screen shows, many times over.
        public static let nameQueryCountMax = 256
        /// A page of the feed of revocations.
        public static let revocationPageCountMax = 1_000
    }
}
