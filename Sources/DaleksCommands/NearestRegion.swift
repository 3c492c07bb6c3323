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
    private static let regionCountMax = 64

    /// Nil where there is no choice, or nobody answers.
    func find() -> String? {
        guard let regions = try? users.regions().filter({ $0.status == "open" && $0.isUp != false }), regions.count > 1
        else { return nil }
        let times = Lock<[(code: String, time: Duration)]>([])
        // All at once: regions that are silent cost their time once and not one after the other.
        let probes = regions.prefix(Self.regionCountMax).map { region in
            Thread(name: "probe-\(region.code)", stackBytes: 256 << 10) {
                if let time = time(region) { times.withLock { $0.append((region.code, time)) } }
            }
        }
        for probe in probes { probe.join() }
        return times.withLock { $0.min { $0.time < $1.time }?.code }
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
