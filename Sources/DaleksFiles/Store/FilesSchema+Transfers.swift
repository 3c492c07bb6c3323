import DaleksSystem

extension FilesSchema {
    static func transfers(_ number: Int) -> Migration {
        Migration(
            number,
            "transfers",
            """
            -- What its owner offers to somebody else to own.
            CREATE TABLE transfers (
                id BLOB PRIMARY KEY,
                node BLOB NOT NULL UNIQUE,
                sender BLOB NOT NULL,
                recipient BLOB NOT NULL,
                offered INTEGER NOT NULL,
                expires INTEGER NOT NULL
            ) STRICT, WITHOUT ROWID;
            CREATE INDEX transfers_sender ON transfers (sender, id);
            CREATE INDEX transfers_recipient ON transfers (recipient, id)
            """
        )
    }
}
