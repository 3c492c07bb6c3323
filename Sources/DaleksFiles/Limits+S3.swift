import DaleksCore

extension Limits {
    /// What we ask of an S3 service.
    enum S3 {
        /// An object: small enough for one request and to be moved, large enough that a gigabyte is a hundred of them.
        static let objectBytesMax = 8 << 20

        /// Writes under way in one process. What comes meanwhile shares the next object.
        static let writeCountMax = 16

        static let connectionCountMax = 64

        /// One call with all its attempts. A client of ours waits a minute; it must hear "not now" well before that.
        static let patience = Duration.seconds(25)
        /// One attempt.
        static let attemptDeadline = Duration.seconds(15)
        /// In which no byte moved.
        static let idleTimeout = Duration.seconds(5)
        static let attemptCountMax = 6
        static let retryDelayFirst = Duration.milliseconds(100)
        static let retryDelayMax = Duration.seconds(3)

        /// A page of a listing: 1,000 keys with all that is said about each.
        static let listBytesMax = 4 << 20

        /// 22 random bits within a millisecond: a second draw is already rare.
        static let keyDrawCountMax = 8
    }
}
