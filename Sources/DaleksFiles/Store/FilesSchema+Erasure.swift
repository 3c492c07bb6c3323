import DaleksSystem

extension FilesSchema {
    static func erasure(_ number: Int) -> Migration {
        Migration(
            number,
            "erasure",
            """
            -- Users whose accounts are gone. due: when what they own is erased; finished: NULL while it is not. Rows
            -- stay for ever: nothing is granted to whoever is here.
            CREATE TABLE erasures (
                owner BLOB PRIMARY KEY,
                due INTEGER NOT NULL,
                finished INTEGER
            ) STRICT, WITHOUT ROWID
            """
        )
    }
}
