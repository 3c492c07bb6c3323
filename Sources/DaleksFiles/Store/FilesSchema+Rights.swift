import DaleksSystem

extension FilesSchema {
    /// Sharing, versions and trash.
    static let rights = Migration(
        2,
        "rights",
        """
        -- access_version rises with everything that may change who sees what below a folder: caches compare it.
        ALTER TABLE trees ADD COLUMN access_version INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE trees ADD COLUMN versions_bytes INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE trees ADD COLUMN trash_bytes INTEGER NOT NULL DEFAULT 0;

        -- creator: who made it in somebody else's tree. sharing: 1 granted, 2 public. removed_name: what it was called
        -- in `parent`, for what lies in the trash; trash_bytes and trash_files: what went there with it.
        ALTER TABLE nodes ADD COLUMN creator BLOB;
        ALTER TABLE nodes ADD COLUMN sharing INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE nodes ADD COLUMN removed_name BLOB;
        ALTER TABLE nodes ADD COLUMN remover BLOB;
        ALTER TABLE nodes ADD COLUMN trash_bytes INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE nodes ADD COLUMN trash_files INTEGER NOT NULL DEFAULT 0;
        CREATE INDEX nodes_trash ON nodes (tree, removed) WHERE removed_name IS NOT NULL;
        CREATE INDEX nodes_shared ON nodes (tree, id) WHERE sharing <> 0;
        CREATE INDEX entries_node ON entries (node);

        CREATE TABLE grants (
            node BLOB NOT NULL,
            grantee BLOB NOT NULL,
            tree INTEGER NOT NULL,
            rights INTEGER NOT NULL,
            grantor BLOB NOT NULL,
            granted INTEGER NOT NULL,
            expires INTEGER,
            PRIMARY KEY (node, grantee)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX grants_grantee ON grants (grantee, node);
        CREATE INDEX grants_tree ON grants (tree, node);

        -- Who put which bytes into somebody else's tree: what they may name in a commit.
        CREATE TABLE chunk_claims (
            tree INTEGER NOT NULL,
            digest BLOB NOT NULL,
            claimant BLOB NOT NULL,
            claimed INTEGER NOT NULL,
            PRIMARY KEY (tree, digest, claimant)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX chunk_claims_age ON chunk_claims (claimed);

        -- version_of: the file whose earlier content it is, while it is kept as a version. cost: bytes that are kept
        -- for it alone. thin_at: when the thinning policy looks at it next.
        ALTER TABLE manifests ADD COLUMN tree INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE manifests ADD COLUMN author BLOB;
        ALTER TABLE manifests ADD COLUMN modified INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE manifests ADD COLUMN version_of BLOB;
        ALTER TABLE manifests ADD COLUMN label TEXT;
        ALTER TABLE manifests ADD COLUMN pinned INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE manifests ADD COLUMN cost INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE manifests ADD COLUMN thin_at INTEGER;
        UPDATE manifests SET tree = (SELECT tree FROM nodes WHERE nodes.id = manifests.node),
            modified = (SELECT modified FROM nodes WHERE nodes.id = manifests.node);
        CREATE INDEX manifests_version ON manifests (version_of, superseded) WHERE version_of IS NOT NULL;
        CREATE INDEX manifests_oldest ON manifests (tree, superseded) WHERE version_of IS NOT NULL;
        CREATE INDEX manifests_thin ON manifests (thin_at) WHERE thin_at IS NOT NULL;

        -- What concerns a tree and is worth knowing later.
        CREATE TABLE audit (
            number INTEGER PRIMARY KEY,
            tree INTEGER NOT NULL,
            time INTEGER NOT NULL,
            act TEXT NOT NULL,
            actor BLOB,
            node BLOB,
            subject BLOB,
            detail TEXT
        ) STRICT;
        CREATE INDEX audit_tree ON audit (tree, number);
        CREATE INDEX audit_time ON audit (time)
        """
    )
}
