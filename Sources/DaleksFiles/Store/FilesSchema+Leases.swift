import DaleksSystem

extension FilesSchema {
    static func leases(_ number: Int) -> Migration {
        Migration(
            number,
            "leases",
            """
            -- lease_number: of the last lease that was given for a file of the tree; it never falls.
            ALTER TABLE trees ADD COLUMN lease_number INTEGER NOT NULL DEFAULT 0;

            -- Who decides about locks on a file. mode: 1 shared, 2 exclusive. used: others want it, and programs of
            -- the holder's still have locks. A row that has expired holds nothing and stays until it is collected.
            CREATE TABLE leases (
                tree INTEGER NOT NULL,
                node BLOB NOT NULL,
                holder BLOB NOT NULL,
                device BLOB NOT NULL,
                number INTEGER NOT NULL,
                mode INTEGER NOT NULL,
                used INTEGER NOT NULL,
                expires INTEGER NOT NULL,
                PRIMARY KEY (tree, node, holder, device)
            ) STRICT, WITHOUT ROWID;
            CREATE INDEX leases_holder ON leases (holder, device);
            CREATE INDEX leases_expires ON leases (expires);

            -- Who waits for one: holders hear of it, and whoever came later waits too. since: in which order.
            CREATE TABLE lease_wishes (
                tree INTEGER NOT NULL,
                node BLOB NOT NULL,
                holder BLOB NOT NULL,
                device BLOB NOT NULL,
                mode INTEGER NOT NULL,
                since INTEGER NOT NULL,
                expires INTEGER NOT NULL,
                PRIMARY KEY (tree, node, holder, device)
            ) STRICT, WITHOUT ROWID;
            CREATE INDEX lease_wishes_holder ON lease_wishes (holder, device);
            CREATE INDEX lease_wishes_expires ON lease_wishes (expires)
            """
        )
    }
}
