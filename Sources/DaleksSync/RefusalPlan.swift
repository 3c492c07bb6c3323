import DaleksAPI
import DaleksCore

/// When what the region refused is worth another attempt.
enum RefusalPlan {
    static let quota = "quota_exceeded"
    /// Ours: what it was about is not shared with the account any more.
    static let withdrawn = "withdrawn"

    static func pause(_ code: String, attempts: Int64) -> Duration {
        let (first, last): (Duration, Duration) =
            switch code {
            // Somebody makes room, often the same user a moment later.
            case quota: (.seconds(5), .seconds(300))
            // Somebody gives a right back.
            case "forbidden": (.seconds(60), .seconds(3_600))
            // Only another region, or another client, will think otherwise.
            default: (.seconds(3_600), .seconds(86_400))
            }
        return min(last, first * (1 << min(attempts, 16)))
    }
}
