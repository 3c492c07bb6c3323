import DaleksSystem

extension FilesSchema {
    /// Links, signed URLs and uploads that go on later.
    static let surfaces = Migration(
        3,
        "surfaces",
        """
        ALTER TABLE manifests ADD COLUMN sha256 BLOB;

        -- Keys that all processes of the region share.
        CREATE TABLE secrets (
            name TEXT PRIMARY KEY,
            value BLOB NOT NULL
        ) STRICT, WITHOUT ROWID;

        -- token: its digest. attempts: at the password since attempts_since.
        CREATE TABLE links (
            id BLOB PRIMARY KEY,
            token BLOB NOT NULL UNIQUE,
            tree INTEGER NOT NULL,
            node BLOB NOT NULL,
            issuer BLOB NOT NULL,
            kind INTEGER NOT NULL,
            password TEXT,
            created INTEGER NOT NULL,
            expires INTEGER,
            downloads_max INTEGER,
            downloads INTEGER NOT NULL,
            last_used INTEGER,
            attempts INTEGER NOT NULL,
            attempts_since INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX links_issuer ON links (issuer, id);
        CREATE INDEX links_node ON links (node, id);

        CREATE TABLE link_uses (
            number INTEGER PRIMARY KEY,
            link BLOB NOT NULL,
            time INTEGER NOT NULL,
            address TEXT NOT NULL,
            agent TEXT
        ) STRICT;
        CREATE INDEX link_uses_link ON link_uses (link, number);

        -- target: the node whose content it becomes, or the folder in which it becomes `name`. length NULL: told later.
        CREATE TABLE uploads (
            id BLOB PRIMARY KEY,
            holder BLOB NOT NULL,
            tree INTEGER NOT NULL,
            target BLOB,
            name BLOB,
            base INTEGER,
            length INTEGER,
            received INTEGER NOT NULL,
            is_partial INTEGER NOT NULL,
            final TEXT,
            metadata TEXT,
            node BLOB,
            tail BLOB NOT NULL,
            expires INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX uploads_holder ON uploads (holder, id);
        CREATE INDEX uploads_expires ON uploads (expires);

        -- The whole spans of an upload, in order; each names a chunk and counts as a use of it.
        CREATE TABLE upload_spans (
            upload BLOB NOT NULL,
            position INTEGER NOT NULL,
            digest BLOB NOT NULL,
            PRIMARY KEY (upload, position)
        ) STRICT, WITHOUT ROWID;

        -- What the users service told, for starts while it is away.
        CREATE TABLE revocations (
            number INTEGER PRIMARY KEY,
            time INTEGER NOT NULL,
            body BLOB NOT NULL
        ) STRICT
        """
    )
}
