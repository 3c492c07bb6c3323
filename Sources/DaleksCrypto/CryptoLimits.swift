public import DaleksCore

extension Limits {
    /// What keys, tokens and stored hashes may cost whoever checks them.
    public enum Crypto {
        /// Smaller ones can be factored by the determined; larger ones make checking a token a way to burn our time.
        public static let rsaBits = 2_048...4_096

        /// A token of ours has about 700 bytes; proxies refuse headers past 8 KiB anyway.
        public static let tokenBytesMax = 8 << 10

        /// A key id is a thumbprint of 43 digits; other issuers use longer names, but not essays.
        public static let keyIDBytesMax = 128

        /// Claims nest one level in ours; a few more cost nothing.
        public static let tokenDepthMax = 8

        /// Regions that one token may be for.
        public static let tokenAudiencesMax = 16

        /// A claim's text (`iss`, `sub`, `jti`, one of `aud`).
        public static let claimBytesMax = 512

        /// The latest second that a token may speak of: year 2255, short of where nanoseconds overflow.
        public static let tokenSecondMax: Int64 = 9_000_000_000

        /// More clock difference than this is a clock to repair.
        public static let leewaySecondsMax: Int64 = 600

        /// A key set holds the announced, active and retiring keys of one issuer.
        public static let keySetCountMax = 64

        /// Hashing time grows with the password's length, and no one types more.
        public static let passwordBytesMax = 1_024

        /// What one check of a stored password hash may allocate, in KiB: more than ten times today's standard.
        public static let argonMemoryMax: UInt32 = 256 << 10

        /// Passes over that memory.
        public static let argonPassesMax: UInt32 = 16

        /// Each lane of a stored hash could be a thread elsewhere; here one fills them all.
        public static let argonLanesMax: UInt32 = 8

        /// One sealed message is held in memory twice; larger things are sealed in pieces.
        public static let sealedBytesMax = 64 << 20

        /// A private key of 4096 bits takes 3.3 KB as PEM.
        public static let pemBytesMax = 64 << 10
    }
}
