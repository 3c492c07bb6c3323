public import DaleksCore

extension Limits {
    /// What HTTP messages may hold, for whoever reads them.
    public enum HTTP {
        /// More ranges in one request serve nobody but an attacker who wants one byte a part.
        public static let rangesMax = 16

        /// Parameters of one query; our widest surface uses nine.
        public static let queryItemsMax = 64

        /// Entity tags in one If-Match or If-None-Match; a cache sends the few variants it has.
        public static let entityTagsMax = 64

        /// Segments of one path: PATH_MAX bytes hold no more than half as many names.
        public static let pathSegmentsMax = 2_048
    }
}
