import DaleksAPI
import DaleksClient
import DaleksCore
import DaleksHTTP
import DaleksHTTPClient
import DaleksSystem

/// Which region answers this machine first: what `auto` means to who has no home yet.
struct NearestRegion {
    let users: UsersClient
    let http: HTTPClient

    /// Each is asked twice, since the first question also makes the connection; the better time counts.
    private static let questionCount = 2
    private static let deadline = Duration.seconds(2)

    /// Nil where there is no choice, or nobody answers.
    func find() -> String? {
        guard let regions = try? users.regions().filter({ $0.status == "open" && $0.isUp != false }), regions.count > 1
        else { return nil }
        let times = regions.compactMap { region in time(region).map { (region.code, $0) } }
        return times.min { $0.1 < $1.1 }?.0
    }

    private func time(_ region: RegionRecord) -> Duration? {
        var best: Duration?
        for _ in 0..<Self.questionCount {
            let began = TimeSource.system.now
            let request = ClientRequest(.get, region.filesURL + "/livez", deadline: Self.deadline)
            guard let answer = try? http.send(request), answer.status == .ok else { return best }
            let took = TimeSource.system.now - began
            best = min(best ?? took, took)
        }
        return best
    }
}
