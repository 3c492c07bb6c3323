import DaleksAPI
import DaleksCore
import DaleksJSON
import DaleksSystem

enum CacheVerb: Verb {
    static let name = "cache"
    static let about = "Tells what the mount keeps here, or lets go of it."
    static let positionals: String? = "[stats|clear]"
    static let words = ["stats", "clear"]
    static let options: [Option] = []
    static let examples: KeyValuePairs = [
        "daleks cache": "how much of your files lies on this machine",
        "daleks cache clear": "makes room: what the region has is fetched again when it is read",
    ]

    static func run(_ call: Call) throws(CommandFailure) {
        let isCleared: Bool
        switch call.settings.positionals.first {
        case nil, "stats": isCleared = false
        case "clear": isCleared = true
        case let word?: throw .usage("\(word) is not one of stats and clear")
        }
        if isCleared, try !call.control(ControlRequest(.status)).isConnected {
            throw .failed(
                "the region does not answer, so nobody could read what would be let go of; try again when it does"
            )
        }
        let answer = try call.control(ControlRequest(isCleared ? .clearCache : .cache))
        if let failure = answer.failure { throw .failed(failure) }
        guard let cache = answer.cache else {
            throw .failed("the daemon is older than this command; `daleks umount` and `daleks mount` renew it")
        }
        call.answer(text(cache), JSONObject([("cache", .of(cache))]))
    }

    private static func text(_ cache: ControlCache) -> String {
        var lines: [String] = []
        if let freed = cache.freedBytes { lines.append("Let go of \(Shown.bytes(freed)).") }
        let (bytes, most) = (Shown.bytes(cache.bytes), Shown.bytes(cache.bytesMax))
        lines.append("\(cache.files) files are here, \(bytes) of \(most) at most.")
        if cache.unsentBytes > 0 { lines.append("\(Shown.bytes(cache.unsentBytes)) are not at the region yet.") }
        if cache.pinnedBytes > 0 { lines.append("\(Shown.bytes(cache.pinnedBytes)) are pinned.") }
        return lines.joined(separator: "\n")
    }
}
