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

        /// A request id is random, so a short one was not drawn but counted, and could be guessed.
        static let requestIDBytes = 16...128

        /// Log-ins that wait for a core: two seconds' work of one at 27 ms each. Later ones are told to come back.
        static let waitingHashesMaxPerCore = 64

        /// Regions of one directory.
        static let regionCountMax = 256

        /// A key set is asked for by every region and every client; who holds it this long asks rarely, and hears of a
        /// key that was withdrawn soon.
        static let keySetAgeMax = Duration.seconds(300)

        /// Keys that wait, sign or retire at a time: what `JWKSet` holds, with room for those of a clock that jumped.
        static let keyCountMax = 32

        /// A private key is a few hundred bytes of PEM.
        static let keyFileBytesMax = 16 << 10

        /// How long an ended session stays for its owner to see how it ended.
        static let endedSessionKept = Duration.seconds(30 * 86_400)

        /// Lines of the audit log; a year of a busy service, some hundred megabytes.
        static let auditCountMax: Int64 = 1_000_000

        /// Rows that one transaction of the upkeep takes: a few milliseconds of the writer's turn.
        static let prunedRowCountMax = 1_000

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

        /// Tokens whose signature was checked: a few megabytes.
        static let provedTokenCountMax = 8_192

        /// How often it is written down that a browser is still in use: each time would be a write for each page.
        static let browserUseInterval = Duration.seconds(600)

        /// How often old rows are looked for.
        static let pruneInterval = Duration.seconds(3_600)
    }
}
