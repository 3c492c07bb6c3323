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

        /// Parts of one form: more files than anybody drops onto a page.
        public static let formPartsMax = 1_000

        /// A name of 255 bytes, each escaped, for the field and for the file, and what programs add.
        public static let formPartHeaderBytesMax = 8 << 10

        /// Segments of one path: PATH_MAX bytes hold no more than half as many names.
        public static let pathSegmentsMax = 2_048
    }
}
