public import DaleksCore

extension Limits {
    public enum FUSE {
        /// The oldest kernel protocol this adapter speaks: Linux 4.20, the first that names how many pages a request
        /// may have, copies between files and caches symbolic links.
        public static let protocolMinorMin: UInt32 = 28

        /// What libfuse's buffer holds (256 pages): fewer requests for the same bytes than any smaller value.
        public static let writeBytesMax = 1 << 20

        /// Requests are answered on the thread they came on and may block on a disk; what waits for the network is
        /// parked. So as many as a disk can serve at once; they are started when needed.
        public static let threadsDefault = 16

        /// Each thread owns a receive buffer of a megabyte and a reply buffer of up to one.
        public static let threadsMax = 64

        /// Threads waiting for a request beyond which one that comes back from work ends instead: the kernel gives
        /// requests to waiting threads in turn, and a getattr was measured 6 % slower with eight of them than with two.
        static let threadsWaitingMax = 3

        /// No more than one ends in this time, for a thread costs more to start than to keep through a lull.
        static let spareInterval = Duration.seconds(1)

        /// Requests the kernel keeps under way without anybody waiting for them (readahead, asynchronous writes).
        /// Its own default of 12 starves readahead on several files at once.
        public static let backgroundMax = 64

        /// A readahead window the kernel may ask for; it takes the smaller of this and its own setting.
        public static let readaheadBytesMax = 1 << 20

        /// A thread that sleeps in the kernel is woken again after this long, should the first signal have come just
        /// before it fell asleep.
        static let wakeInterval = Duration.milliseconds(5)

        /// How long a look at somebody else's mount may take before it counts as silent.
        public static let probeTimeout = Duration.seconds(2)

        /// Sources and file-system names past this are a mistake; the kernel's page of options must hold them.
        static let optionBytesMax = 255

        /// One fusermount3 complaint is a line; more than this is cut.
        static let complaintBytesMax = 4_096
    }
}
