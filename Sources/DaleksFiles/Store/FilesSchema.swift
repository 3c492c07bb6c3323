import DaleksSystem

/// The shape of the region's database, step by step. Steps that have run somewhere are never edited.
enum FilesSchema {
    /// `DLKF`: what the header of a region's database says.
    static let applicationID: Int32 = 0x444c_4b46

    static let migrations = [
        Migration(
            1,
            "tree",
            """
            -- One row an owner; a transaction that changes the tree writes it. quota NULL: the region's default.
            CREATE TABLE trees (
                number INTEGER PRIMARY KEY,
                owner BLOB NOT NULL UNIQUE,
                root BLOB NOT NULL,
                epoch INTEGER NOT NULL,
                sequence INTEGER NOT NULL,
                feed_floor INTEGER NOT NULL,
                bytes_used INTEGER NOT NULL,
                files_used INTEGER NOT NULL,
                bytes_quota INTEGER
            ) STRICT;

            -- Ids begin with their time, so new rows go to the end.
            CREATE TABLE nodes (
                id BLOB PRIMARY KEY,
                tree INTEGER NOT NULL,
                kind INTEGER NOT NULL,
                mode INTEGER NOT NULL,
                uid INTEGER NOT NULL,
                gid INTEGER NOT NULL,
                accessed INTEGER NOT NULL,
                modified INTEGER NOT NULL,
                changed INTEGER NOT NULL,
                size INTEGER NOT NULL,
                links INTEGER NOT NULL,
                revision INTEGER NOT NULL,
                content INTEGER NOT NULL,
                entry_count INTEGER NOT NULL,
                content_bytes INTEGER NOT NULL,
                maker_device INTEGER,
                maker_sequence INTEGER,
                parent BLOB,
                target BLOB,
                removed INTEGER
            ) STRICT, WITHOUT ROWID;
            CREATE INDEX nodes_removed ON nodes (removed) WHERE removed IS NOT NULL;

            CREATE TABLE entries (
                parent BLOB NOT NULL,
                name BLOB NOT NULL,
                node BLOB NOT NULL,
                PRIMARY KEY (parent, name)
            ) STRICT, WITHOUT ROWID;

            -- superseded: when newer content took its place, by the region's clock; NULL while it is current.
            CREATE TABLE manifests (
                node BLOB NOT NULL,
                content INTEGER NOT NULL,
                size INTEGER NOT NULL,
                body BLOB NOT NULL,
                superseded INTEGER,
                PRIMARY KEY (node, content)
            ) STRICT, WITHOUT ROWID;
            CREATE INDEX manifests_superseded ON manifests (superseded) WHERE superseded IS NOT NULL;

            CREATE TABLE manifest_pages (
                number INTEGER PRIMARY KEY,
                body BLOB NOT NULL
            ) STRICT;

            -- usage: spans of manifest pages that name it. touched: when somebody last relied on its being there.
            CREATE TABLE chunks (
                tree INTEGER NOT NULL,
                digest BLOB NOT NULL,
                segment INTEGER NOT NULL,
                position INTEGER NOT NULL,
                stored_bytes INTEGER NOT NULL,
                raw_bytes INTEGER NOT NULL,
                compression INTEGER NOT NULL,
                usage INTEGER NOT NULL,
                touched INTEGER NOT NULL,
                PRIMARY KEY (tree, digest)
            ) STRICT, WITHOUT ROWID;
            CREATE INDEX chunks_unused ON chunks (touched) WHERE usage = 0;

            CREATE TABLE changes (
                tree INTEGER NOT NULL,
                sequence INTEGER NOT NULL,
                body BLOB NOT NULL,
                PRIMARY KEY (tree, sequence)
            ) STRICT, WITHOUT ROWID;

            -- high_water: nothing at or below it ever runs again. acknowledged: whose answers the device has taken.
            CREATE TABLE devices (
                number INTEGER PRIMARY KEY,
                tree INTEGER NOT NULL,
                device BLOB NOT NULL,
                high_water INTEGER NOT NULL,
                acknowledged INTEGER NOT NULL,
                UNIQUE (tree, device)
            ) STRICT;

            -- Kept for a while after the device took the answer, to recognise a forked journal.
            CREATE TABLE operations (
                device INTEGER NOT NULL,
                sequence INTEGER NOT NULL,
                digest BLOB NOT NULL,
                answer BLOB NOT NULL,
                PRIMARY KEY (device, sequence)
            ) STRICT, WITHOUT ROWID;

            -- The last key set that the users service gave, for starts while it is away.
            CREATE TABLE key_sets (
                url TEXT PRIMARY KEY,
                body BLOB NOT NULL,
                fetched INTEGER NOT NULL
            ) STRICT, WITHOUT ROWID
            """
        ),
        rights,
        surfaces,
        smallChunks(4),
        Migration(
            5,
            "device nodes and extended attributes",
            """
            -- xattrs: NULL where there are none.
            ALTER TABLE nodes ADD COLUMN device INTEGER NOT NULL DEFAULT 0;
            ALTER TABLE nodes ADD COLUMN xattrs BLOB
            """
        ),
        erasure(6),
        transfers(7),
        Migration(
            8,
            "since when a grant lets its holder hear of what happens",
            """
            -- sequence: the tree's, with which it was granted. What was granted before this goes on as it did.
            ALTER TABLE grants ADD COLUMN sequence INTEGER NOT NULL DEFAULT 0
            """
        ),
        Migration(
            9,
            "setbacks",
            """
            -- What the tree forgot when it came back from backups: KEPT-RESUMED, with commas between.
            ALTER TABLE trees ADD COLUMN setbacks TEXT NOT NULL DEFAULT ''
            """
        ),
        Migration(
            10,
            "when nodes were made",
            """
            -- By the region's clock, and never changed. NULL: before this was kept.
            ALTER TABLE nodes ADD COLUMN made INTEGER
            """
        ),
        leases(11),
    ]
}
