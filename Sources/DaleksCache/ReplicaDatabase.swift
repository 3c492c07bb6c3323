public import DaleksSQLite
public import DaleksSystem

/// The client's database: tree replica, journal, and which bytes are here. One for each account and region.
public enum ReplicaDatabase {
    /// "DLKC": this file is a Daleks client's.
    public static let applicationID: Int32 = 0x444c_4b43

    public static func open(at path: String, logger: Logger) throws(SQLiteError) -> Database {
        try Database.open(
            path: path,
            // Nearly every transaction here is one small change, and many come in a row.
            configuration: DatabaseConfiguration(
                applicationID: applicationID,
                readerCount: 4,
                pageBytes: 2_048,
                groupInterval: .milliseconds(20)
            ),
            migrations: migrations,
            logger: logger
        )
    }

    static let migrations = [
        Migration(
            1,
            "tree, journal and content",
            """
            CREATE TABLE meta (
                key TEXT PRIMARY KEY,
                value BLOB NOT NULL
            ) WITHOUT ROWID;

            CREATE TABLE nodes (
                inode INTEGER PRIMARY KEY AUTOINCREMENT,
                id BLOB NOT NULL UNIQUE,
                kind INTEGER NOT NULL,
                mode INTEGER NOT NULL,
                uid INTEGER NOT NULL,
                gid INTEGER NOT NULL,
                atime INTEGER NOT NULL,
                mtime INTEGER NOT NULL,
                ctime INTEGER NOT NULL,
                size INTEGER NOT NULL,
                links INTEGER NOT NULL,
                revision INTEGER NOT NULL,
                content INTEGER NOT NULL,
                content_size INTEGER NOT NULL,
                target BLOB,
                complete INTEGER NOT NULL,
                listed INTEGER NOT NULL,
                stale INTEGER NOT NULL
            );
            CREATE INDEX nodes_stale ON nodes (inode) WHERE stale;

            CREATE TABLE entries (
                position INTEGER PRIMARY KEY AUTOINCREMENT,
                parent INTEGER NOT NULL REFERENCES nodes (inode),
                name BLOB NOT NULL,
                node INTEGER NOT NULL REFERENCES nodes (inode)
            );
            CREATE UNIQUE INDEX entries_name ON entries (parent, name);
            CREATE INDEX entries_order ON entries (parent, position);
            CREATE INDEX entries_node ON entries (node);

            CREATE TABLE journal (
                place INTEGER PRIMARY KEY AUTOINCREMENT,
                sequence INTEGER UNIQUE,
                kind INTEGER NOT NULL,
                node INTEGER NOT NULL,
                parent INTEGER,
                other_parent INTEGER,
                replaced INTEGER,
                body BLOB
            );
            CREATE INDEX journal_node ON journal (node);
            CREATE INDEX journal_parent ON journal (parent) WHERE parent IS NOT NULL;
            CREATE INDEX journal_replaced ON journal (replaced) WHERE replaced IS NOT NULL;
            CREATE INDEX journal_other_parent ON journal (other_parent) WHERE other_parent IS NOT NULL;

            CREATE TABLE spans (
                node INTEGER NOT NULL REFERENCES nodes (inode) ON DELETE CASCADE,
                span INTEGER NOT NULL,
                state INTEGER NOT NULL,
                PRIMARY KEY (node, span)
            ) WITHOUT ROWID;
            CREATE INDEX spans_dirty ON spans (node) WHERE state = 2;
            """
        ),
        Migration(
            2,
            "content that lasts",
            """
            ALTER TABLE spans ADD COLUMN generation INTEGER NOT NULL DEFAULT 0;
            ALTER TABLE spans ADD COLUMN digest BLOB;

            CREATE TABLE contents (
                node INTEGER PRIMARY KEY REFERENCES nodes (inode) ON DELETE CASCADE,
                generation INTEGER NOT NULL,
                kept_size INTEGER NOT NULL,
                cut_content INTEGER NOT NULL DEFAULT 0,
                cut_from INTEGER NOT NULL DEFAULT 0
            );

            CREATE TABLE uses (
                node INTEGER PRIMARY KEY REFERENCES nodes (inode) ON DELETE CASCADE,
                used INTEGER NOT NULL,
                pinned INTEGER NOT NULL
            );
            """
        ),
        Migration(
            3,
            "answered steps",
            """
            ALTER TABLE nodes ADD COLUMN answered INTEGER NOT NULL DEFAULT 0;
            UPDATE nodes SET answered = revision WHERE kind = 2;
            """
        ),
        Migration(
            4,
            "refusals and barriers",
            """
            CREATE TABLE refusals (
                place INTEGER PRIMARY KEY,
                code TEXT NOT NULL,
                detail TEXT NOT NULL,
                attempts INTEGER NOT NULL,
                retry_at INTEGER NOT NULL
            );
            CREATE TRIGGER journal_refusals AFTER DELETE ON journal BEGIN
                DELETE FROM refusals WHERE place = old.place;
            END;
            ALTER TABLE journal ADD COLUMN barrier INTEGER NOT NULL DEFAULT 0;
            -- Leaves room in front, for what turns out to be needed before a row that is there.
            DELETE FROM sqlite_sequence WHERE name = 'journal';
            INSERT INTO sqlite_sequence (name, seq)
                SELECT 'journal', coalesce(max(place), 0) + 1000000000 FROM journal;
            """
        ),
        Migration(
            5,
            "device nodes and extended attributes",
            """
            -- xattrs: NULL where there are none.
            ALTER TABLE nodes ADD COLUMN device INTEGER NOT NULL DEFAULT 0;
            ALTER TABLE nodes ADD COLUMN xattrs BLOB
            """
        ),
        Migration(
            6,
            "conflicts",
            """
            -- " (conflict from ": those are found without reading every name.
            CREATE INDEX entries_conflicts ON entries (node) WHERE instr(name, x'2028636f6e666c6963742066726f6d20')
            """
        ),
        Migration(
            7,
            "what others share",
            """
            -- standing: see LocalStanding.
            ALTER TABLE nodes ADD COLUMN standing INTEGER NOT NULL DEFAULT 0;
            CREATE TABLE owners (
                id BLOB PRIMARY KEY,
                folder INTEGER NOT NULL,
                name TEXT NOT NULL,
                cursor TEXT NOT NULL
            ) WITHOUT ROWID;
            CREATE TABLE shares (
                node BLOB PRIMARY KEY,
                owner BLOB NOT NULL,
                inode INTEGER,
                rights INTEGER NOT NULL,
                grantor BLOB NOT NULL,
                expires INTEGER,
                withdrawn INTEGER NOT NULL
            ) WITHOUT ROWID;
            -- To whom a node is shown was not asked until now.
            UPDATE nodes SET stale = 1 WHERE revision > 0
            """
        ),
        Migration(
            8,
            "cuts that are due",
            """
            -- To which size the backing file is cut next; NULL once it is.
            ALTER TABLE contents ADD COLUMN cut_due INTEGER;
            CREATE INDEX contents_cut_due ON contents (node) WHERE cut_due IS NOT NULL
            """
        ),
        Migration(
            9,
            "names that the region decides",
            """
            -- Whether the region has the last word: where it says no, what was done here is taken back.
            ALTER TABLE journal ADD COLUMN asked INTEGER NOT NULL DEFAULT 0
            """
        ),
    ]
}
