import DaleksSystem

extension FilesSchema {
    static func smallChunks(_ number: Int) -> Migration {
        Migration(
            number,
            "small chunks",
            """
            -- Stored bytes of small chunks that have not been moved to the store yet; chunks.position is the number.
            CREATE TABLE small_chunks (
                number INTEGER PRIMARY KEY,
                tree INTEGER NOT NULL,
                digest BLOB NOT NULL,
                entered INTEGER NOT NULL,
                body BLOB NOT NULL
            ) STRICT;

            -- For moving a segment's chunks, and for knowing which segments hold none.
            CREATE INDEX chunks_segment ON chunks (segment);

            -- Which process does what only one should at a time, until when.
            CREATE TABLE duties (
                name TEXT PRIMARY KEY,
                holder BLOB NOT NULL,
                expires INTEGER NOT NULL
            ) STRICT, WITHOUT ROWID
            """
        )
    }
}
