import DaleksSystem

/// The shape of the service's database, step by step. Steps that have run somewhere are never edited.
enum UsersSchema {
    /// `DLKU`: what the header of a users service's database says.
    static let applicationID: Int32 = 0x444c_4b55

    static let migrations = [
        Migration(
            1,
            "accounts and sessions",
            """
            -- email: normalised, so that equal addresses are equal bytes. password: a hash in the PHC spelling.
            CREATE TABLE accounts (
                id BLOB PRIMARY KEY,
                email TEXT NOT NULL UNIQUE,
                name TEXT NOT NULL,
                password TEXT NOT NULL,
                home TEXT,
                created INTEGER NOT NULL
            ) STRICT, WITHOUT ROWID;

            -- One log-in and its family of refresh tokens. mark: the key that tells its tokens from inventions.
            -- current, previous: digests of the tokens. sealed: the current token, under a key from the previous one.
            CREATE TABLE sessions (
                id BLOB PRIMARY KEY,
                account BLOB NOT NULL,
                client TEXT NOT NULL,
                device TEXT NOT NULL,
                scope TEXT NOT NULL,
                region TEXT NOT NULL,
                created INTEGER NOT NULL,
                used INTEGER NOT NULL,
                mark BLOB NOT NULL,
                current BLOB NOT NULL,
                previous BLOB,
                rotated INTEGER,
                request BLOB,
                sealed BLOB,
                ended INTEGER,
                reason TEXT
            ) STRICT, WITHOUT ROWID;
            CREATE INDEX sessions_account ON sessions (account);
            CREATE INDEX sessions_created ON sessions (created);
            CREATE INDEX sessions_ended ON sessions (ended) WHERE ended IS NOT NULL;

            -- The private halves are files beside the database. activated NULL: announced. retired: signs no more.
            CREATE TABLE keys (
                id TEXT PRIMARY KEY,
                public TEXT NOT NULL,
                announced INTEGER NOT NULL,
                activated INTEGER,
                retired INTEGER
            ) STRICT, WITHOUT ROWID;

            -- origin: who named it, so that a start does not undo what an administrator did.
            CREATE TABLE regions (
                code TEXT PRIMARY KEY,
                name TEXT NOT NULL,
                files_url TEXT NOT NULL,
                status TEXT NOT NULL,
                origin TEXT NOT NULL,
                position INTEGER NOT NULL
            ) STRICT, WITHOUT ROWID;

            -- subject: a digest of what was tried, so that this lists nobody. blocked: until when nothing is tried.
            CREATE TABLE attempts (
                subject BLOB PRIMARY KEY,
                failures INTEGER NOT NULL,
                last INTEGER NOT NULL,
                blocked INTEGER NOT NULL
            ) STRICT, WITHOUT ROWID;
            CREATE INDEX attempts_last ON attempts (last);

            CREATE TABLE audit (
                number INTEGER PRIMARY KEY,
                time INTEGER NOT NULL,
                action TEXT NOT NULL,
                outcome TEXT NOT NULL,
                account BLOB,
                session BLOB,
                client TEXT,
                request TEXT
            ) STRICT
            """
        ),
        oauth, accounts(3), algorithms, proof, locks, resetWishes,
    ]

    private static let algorithms = Migration(
        4,
        "what ID tokens are signed with",
        "ALTER TABLE oauth_clients ADD COLUMN id_token_alg TEXT NOT NULL DEFAULT 'ES256'"
    )

    private static let proof = Migration(
        5,
        "how sessions began",
        """
        -- proven: begun with the password itself. Of what began before this nobody knows: whoever wants to change an
        -- account logs in again.
        ALTER TABLE sessions ADD COLUMN proven INTEGER NOT NULL DEFAULT 0
        """
    )

    private static let locks = Migration(
        6,
        "locks of before regions were told",
        """
        -- A lock of before `user_locked` is one that no region heard of, and shares and links of that account go on.
        INSERT INTO revocations (number, time, kind, account)
            SELECT (SELECT value FROM service_numbers WHERE name = 'revocation') + row_number() OVER (ORDER BY id),
                locked, 'user_locked', id
            FROM accounts
            WHERE locked IS NOT NULL AND NOT EXISTS (
                SELECT 1 FROM revocations r WHERE r.account = accounts.id AND r.kind = 'user_locked'
            );
        UPDATE service_numbers SET value = (SELECT max(number) FROM revocations)
            WHERE name = 'revocation' AND value < (SELECT max(number) FROM revocations)
        """
    )

    private static let resetWishes = Migration(
        7,
        "wishes for a new password",
        """
        -- client, site, request: where it was asked from, for the audit log.
        CREATE TABLE reset_wishes (
            number INTEGER PRIMARY KEY,
            email TEXT NOT NULL,
            client TEXT NOT NULL,
            site TEXT NOT NULL,
            request TEXT NOT NULL,
            time INTEGER NOT NULL
        ) STRICT;

        -- Letters to nobody, which were posted for the time it takes and dropped when they were to go out.
        DELETE FROM outbox WHERE subject = ''
        """
    )

    private static let oauth = Migration(
        2,
        "oauth: clients, codes, devices",
        """
        -- until: when a log-in ends whatever its use; of those that cannot be refreshed.
        ALTER TABLE sessions ADD COLUMN until INTEGER;

        -- secret: a digest of 256 random bits; NULL: a public client. redirects: one URI a line. grants, scope: words.
        CREATE TABLE oauth_clients (
            id TEXT PRIMARY KEY,
            name TEXT NOT NULL,
            secret BLOB,
            redirects TEXT NOT NULL,
            grants TEXT NOT NULL,
            scope TEXT NOT NULL,
            created INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;

        -- code: a digest. redirect NULL: the request did not name it. session: what the code was turned into.
        CREATE TABLE oauth_codes (
            code BLOB PRIMARY KEY,
            client TEXT NOT NULL,
            account BLOB NOT NULL,
            redirect TEXT,
            challenge TEXT NOT NULL,
            scope TEXT NOT NULL,
            resource TEXT,
            nonce TEXT,
            authenticated INTEGER NOT NULL,
            expires INTEGER NOT NULL,
            session BLOB
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX oauth_codes_expires ON oauth_codes (expires);

        -- A device that waits for somebody to let it in. code: a digest. origin: of the address that asked.
        -- pause: nanoseconds between two questions. account NULL: undecided, or denied.
        CREATE TABLE oauth_devices (
            code BLOB PRIMARY KEY,
            user_code TEXT NOT NULL UNIQUE,
            client TEXT NOT NULL,
            device TEXT NOT NULL,
            scope TEXT NOT NULL,
            resource TEXT,
            origin BLOB NOT NULL,
            expires INTEGER NOT NULL,
            pause INTEGER NOT NULL,
            polled INTEGER,
            state TEXT NOT NULL,
            account BLOB,
            authenticated INTEGER
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX oauth_devices_expires ON oauth_devices (expires);
        CREATE INDEX oauth_devices_origin ON oauth_devices (origin);

        -- owner: the process that has the private half; NULL: the only one there was. ordered: when an administrator
        -- asked for another key than those of before.
        ALTER TABLE keys ADD COLUMN owner BLOB;
        CREATE TABLE oauth_key_orders (
            number INTEGER PRIMARY KEY,
            ordered INTEGER NOT NULL
        ) STRICT
        """
    )
}
