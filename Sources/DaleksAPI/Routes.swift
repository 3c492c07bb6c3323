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
        public static let openIDMetadata = "/.well-known/openid-configuration"
        public static let openAPI = "/openapi.json"
        public static let documentation = "/docs"
    }

    public enum Files {
        public static let capabilities = "/v1/capabilities"
        public static let tree = "/v1/tree"
        public static let usage = "/v1/usage"
        public static let mutations = "/v1/mutations"
        public static let missingChunks = "/v1/chunks/missing"
        public static let changes = "/v1/changes"

        public static let nodePattern = "/v1/nodes/:id"
        public static let childrenPattern = "/v1/nodes/:id/children"
        public static let manifestPattern = "/v1/nodes/:id/content/:revision"
        public static let spanPattern = "/v1/nodes/:id/content/:revision/spans/:index"
        public static let chunkPattern = "/v1/chunks/:digest"

        public static func node(_ id: NodeID) -> String { "/v1/nodes/\(id)" }

        public static func children(of id: NodeID, after name: Name?, limit: Int) -> String {
            let start = name.map { "&after=\(Base64.encode($0.bytes))" } ?? ""
            return "/v1/nodes/\(id)/children?limit=\(limit)\(start)"
        }

        public static func manifest(of id: NodeID, at revision: Revision) -> String {
            "/v1/nodes/\(id)/content/\(revision)"
        }

        public static func span(_ index: Int, of id: NodeID, at revision: Revision) -> String {
            "/v1/nodes/\(id)/content/\(revision)/spans/\(index)"
        }

        public static func chunk(_ digest: Digest) -> String { "/v1/chunks/\(digest)" }

        public static func changes(after cursor: String, waitSeconds: Int) -> String {
            "/v1/changes?after=\(cursor)&wait=\(waitSeconds)"
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
        /// Proxies commonly cut idle requests at 60 seconds.
        public static let changesWaitSecondsMax = 60
        /// A page of the feed.
        public static let changesPageCountMax = 1_000
    }
}
