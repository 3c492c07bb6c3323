import DaleksSystem

extension UsersSchema {
    static func accounts(_ number: Int) -> Migration {
        Migration(
            number,
            "accounts: second factor, app passwords, mail, revocations, enrolment",
            """
            -- handle: unique, in lower case. locked: since when. quota: bytes, for regions to read. totp: the secret of
            -- the second factor; totp_step: the last step whose code was taken; totp_pending: not confirmed yet.
            ALTER TABLE accounts ADD COLUMN handle TEXT;
            ALTER TABLE accounts ADD COLUMN role TEXT NOT NULL DEFAULT 'user';
            ALTER TABLE accounts ADD COLUMN locked INTEGER;
            ALTER TABLE accounts ADD COLUMN quota INTEGER;
            ALTER TABLE accounts ADD COLUMN totp BLOB;
            ALTER TABLE accounts ADD COLUMN totp_step INTEGER;
            ALTER TABLE accounts ADD COLUMN totp_pending BLOB;
            CREATE UNIQUE INDEX accounts_handle ON accounts (handle);
            CREATE INDEX accounts_home ON accounts (home);
            CREATE INDEX accounts_admins ON accounts (id) WHERE role = 'admin';

            CREATE TABLE recovery_codes (
                account BLOB NOT NULL,
                code BLOB NOT NULL,
                PRIMARY KEY (account, code)
            ) STRICT, WITHOUT ROWID;

            -- secret: a digest of 256 random bits.
            CREATE TABLE app_passwords (
                id BLOB PRIMARY KEY,
                account BLOB NOT NULL,
                name TEXT NOT NULL,
                scope TEXT NOT NULL,
                secret BLOB NOT NULL UNIQUE,
                created INTEGER NOT NULL,
                used INTEGER
            ) STRICT, WITHOUT ROWID;
            CREATE INDEX app_passwords_account ON app_passwords (account);

            -- app_password: what the log-in was made with in place of the password.
            ALTER TABLE sessions ADD COLUMN app_password BLOB;

            -- What a link in a mail stands for. token: a digest. purpose: register, email or reset. The rest is what
            -- holds once the link is used.
            CREATE TABLE mail_tokens (
                token BLOB PRIMARY KEY,
                purpose TEXT NOT NULL,
                account BLOB,
                email TEXT NOT NULL,
                name TEXT,
                handle TEXT,
                password TEXT,
                expires INTEGER NOT NULL
            ) STRICT, WITHOUT ROWID;
            CREATE INDEX mail_tokens_expires ON mail_tokens (expires);
            CREATE INDEX mail_tokens_account ON mail_tokens (account) WHERE account IS NOT NULL;

            -- Mail that is to go out. due: when it is tried next.
            CREATE TABLE outbox (
                number INTEGER PRIMARY KEY,
                recipient TEXT NOT NULL,
                subject TEXT NOT NULL,
                body TEXT NOT NULL,
                created INTEGER NOT NULL,
                due INTEGER NOT NULL,
                attempts INTEGER NOT NULL
            ) STRICT;
            CREATE INDEX outbox_due ON outbox (due);

            -- What regions must hear. number: taken under the counter's lock, so that the order of numbers is the order
            -- of commits. moment: `before` or `purge_after`.
            CREATE TABLE revocations (
                number INTEGER PRIMARY KEY,
                time INTEGER NOT NULL,
                kind TEXT NOT NULL,
                account BLOB,
                session BLOB,
                moment INTEGER
            ) STRICT;
            CREATE INDEX revocations_old ON revocations (time) WHERE kind <> 'user_deleted';

            -- counter: revocations. epoch: drawn anew whenever the database came back from a backup.
            CREATE TABLE service_numbers (
                name TEXT PRIMARY KEY,
                value INTEGER NOT NULL
            ) STRICT, WITHOUT ROWID;
            INSERT INTO service_numbers (name, value) VALUES ('revocation', 0);

            -- is_up, checked: of the files service. secret: a digest of what the files service proves itself with.
            ALTER TABLE regions ADD COLUMN is_up INTEGER;
            ALTER TABLE regions ADD COLUMN checked INTEGER;
            ALTER TABLE regions ADD COLUMN secret BLOB;
            CREATE TABLE enrolments (
                token BLOB PRIMARY KEY,
                code TEXT NOT NULL,
                name TEXT,
                expires INTEGER NOT NULL
            ) STRICT, WITHOUT ROWID;

            -- Tokens that make the first administrator; digests.
            CREATE TABLE first_admin_tokens (
                token BLOB PRIMARY KEY,
                created INTEGER NOT NULL
            ) STRICT, WITHOUT ROWID;

            -- actor: who did it, where that is another than whom it was done to.
            ALTER TABLE audit ADD COLUMN actor BLOB;
            ALTER TABLE audit ADD COLUMN detail TEXT;
            CREATE INDEX audit_account ON audit (account, number) WHERE account IS NOT NULL;
            """
        )
    }
}
