public import DaleksCore

extension Limits {
    /// What the users service allows itself and its callers.
    public enum Users {
        /// A log-in or a form: the longest password fully escaped takes 6 KiB, everything else a few hundred bytes.
        static let bodyBytesMax = 16 << 10

        /// What SMTP lets an address be (RFC 5321, with RFC 3696's correction).
        static let emailBytesMax = 254

        /// The part before the `@` (RFC 5321).
        static let emailLocalBytesMax = 64

        /// A person's name is shown in lists.
        static let nameBytesMax = 256

        /// What a session is called in the list of sessions.
        static let deviceBytesMax = 256

        /// Shorter ones are guessed (NIST SP 800-63B).
        static let passwordCharactersMin = 8

        /// Hashing starts with the whole password; nobody types more.
        static let passwordBytesMax = 1_024

        /// A recovery code with its dashes has 29.
        static let codeBytesMax = 64

        /// App passwords of one account, and log-ins that go on at a time: nobody has more programs, and a list shows
        /// all of them.
        static let appPasswordCountMax = 100
        static let sessionListMax = 1_000

        /// Lines of the audit log that somebody gets with their data: all of them, but for a robot.
        static let exportedAuditMax = 10_000

        /// A link in a mail to a new address, or one that lets a password be set.
        static let registrationTokenLifetime = Duration.seconds(86_400)
        static let resetTokenLifetime = Duration.seconds(3_600)

        /// Mails that strangers can have sent to one address, and from one of theirs, in an hour.
        public static let mailsPerAddressMax = 5
        public static let mailsPerSiteMax = 60

        /// Exact look-ups by one account in an hour: a person shares with some; a list of a million addresses takes a
        /// year and more.
        public static let lookUpsPerHourMax = 120

        /// A mail that cannot be handed over is tried again with growing pauses, a good day in all.
        static let mailAttemptCountMax = 16
        static let mailRetryFirst = Duration.seconds(10)
        static let mailRetryMax = Duration.seconds(14_400)
        static let mailClaim = Duration.seconds(300)

        /// How long revocations are told: no access token lives longer than a day.
        static let revocationKept = Duration.seconds(2 * 86_400)

        /// When regions erase what a deleted user had: time enough for an operator to notice a mistake.
        static let purgeGrace = Duration.seconds(30 * 86_400)

        static let enrolmentLifetime = Duration.seconds(3_600)

        /// How often files services are asked how they are, how long they may take, and how old the note of it gets.
        static let healthInterval = Duration.seconds(15)
        static let healthDeadline = Duration.seconds(5)
        static let healthNoteAge = Duration.seconds(60)

        /// A page of a list for administrators.
        static let adminPageMax = 500

        /// Requests that wait for the feed of revocations: one for each region, and some that were given up.
        static let feedWaiterCountMax = 1_024

        /// A request id is random, so a short one was not drawn but counted, and could be guessed.
        static let requestIDBytes = 16...128

        /// Log-ins that wait for a core: two seconds' work of one at 27 ms each. Later ones are told to come back.
        public static let waitingHashesMaxPerCore = 64

        /// Regions of one directory.
        static let regionCountMax = 256

        /// A key set is asked for by every region and every client; who holds it this long asks rarely, and hears of a
        /// key that was withdrawn soon.
        static let keySetAgeMax = Duration.seconds(300)

        /// Regions, and libraries such as PyJWT, ask again for a key that they do not know at most so often.
        static let keyAnnouncementMin = Duration.seconds(30)

        /// Keys that wait, sign or retire at a time: what `JWKSet` holds, with room for those of a clock that jumped.
        static let keyCountMax = 64

        /// A private key is a few hundred bytes of PEM.
        static let keyFileBytesMax = 16 << 10

        /// How long an ended session stays for its owner to see how it ended.
        static let endedSessionKept = Duration.seconds(30 * 86_400)

        /// Lines of the audit log; a year of a busy service, some hundred megabytes.
        static let auditCountMax: Int64 = 1_000_000

        /// Rows that one transaction of the upkeep takes: a few milliseconds of the writer's turn.
        static let prunedRowCountMax = 1_000

        /// How often a statement is tried that others got in the way of, and a refresh that another one overtook: each
        /// time somebody else got on.
        static let statementTriesMax = 5
        static let refreshTriesMax = 8

        /// Threads of one core's passwords: one hashes while others wait for the database.
        static let passwordThreadsPerCore = 4

        /// Connections of one process to PostgreSQL. Requests that write wait for the disk, so more than cores; a few
        /// processes must fit into the 100 that a server has by default.
        static let databaseConnectionCountMax = 24

        /// Programs that administrators registered.
        static let clientCountMax = 4_096

        /// Addresses that one program may be answered at.
        static let redirectCountMax = 32

        /// What browsers and proxies carry without complaint.
        static let redirectBytesMax = 2_000

        /// A nonce, a hint: what is written down with a code or shown on a page.
        static let parameterBytesMax = 512

        /// Devices of one address that wait to be let in at a time: an office behind one address, and no flood.
        static let waitingDevicesMax = 64

        /// Trips to the database with gathered questions that are under way at a time: one is answered while the next
        /// is written.
        static let gatheredTripsMax = 2
        /// Questions of one trip; each number of them is a prepared statement on each connection.
        static let gatheredQuestionsMax = 16
        /// Requests that wait for the next trip: some tenths of a second's worth. They hold a connection each and no
        /// thread.
        static let gatheredWaitingMax = 4_096

        /// Tokens whose signature was checked: a few megabytes.
        static let provedTokenCountMax = 8_192

        /// How often it is written down that a browser is still in use: each time would be a write for each page.
        static let browserUseInterval = Duration.seconds(600)

        /// How often old rows are looked for.
        static let pruneInterval = Duration.seconds(3_600)
    }
}
