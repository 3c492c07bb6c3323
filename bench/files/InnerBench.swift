import DaleksAPI
import DaleksCore
import DaleksFiles
import DaleksSystem

/// The check of a token and the decision about rights, without a request around them: a file under twenty folders, each
/// granted to 500 users, 10,000 grants in all.
struct InnerBench {
    private let region: BenchRegion
    private let depth = 20
    private let grantsOfFolder = 500
    private let rounds = 2_000

    init(_ region: BenchRegion) { self.region = region }

    /// Medians in microseconds.
    func run() throws -> String {
        let owner = try region.device()
        let guest = UserID.random(at: TimeSource.system.wall)
        let file = try makeTree(owner, guest)
        let known = region.token(of: guest)
        let tokens = (0..<rounds).map { _ in region.token(of: guest) }
        region.stop()

        let probe = try RegionProbe(
            stateFolder: region.stateFolder,
            usersURL: region.issuerURL,
            publicURL: region.url
        )
        defer { probe.close() }
        try probe.verify(known)
        guard try probe.node(file, for: guest).rights == .read else { throw BenchFailure("the guest may not read") }
        let figures = [
            ("token_cached", try median { _ in try probe.verify(known) }),
            ("token_cold", try median { try probe.verify(tokens[$0]) }),
            ("rights_warm", try median { _ in _ = try probe.node(file, for: guest) }),
            (
                "rights_cold",
                try median(preparing: { probe.forgetStandings() }) { _ in _ = try probe.node(file, for: guest) }
            ),
        ]
        return "{" + figures.map { "\"\($0.0)\":\($0.1)" }.joined(separator: ",") + "}"
    }

    private func makeTree(_ owner: BenchDevice, _ guest: UserID) throws -> NodeID {
        var (folders, mutations): ([NodeID], [Mutation]) = ([], [])
        for level in 0..<depth {
            let (mutation, id) = owner.creation("level \(level)", .folder, in: folders.last)
            mutations.append(mutation)
            folders.append(id)
        }
        let (mutation, file) = owner.creation("file", in: folders.last)
        try owner.run(mutations + [mutation])
        let made = folders
        let reading = GrantRequest(rights: .read)
        // The guest's own grant is the farthest away.
        try owner.grant(reading, to: guest, on: made[0])
        _ = try FilesBench.together(8) { client in
            for index in stride(from: client, to: depth * grantsOfFolder - 1, by: 8) {
                try owner.grant(reading, to: .random(at: TimeSource.system.wall), on: made[index % depth])
            }
        }
        return file
    }

    private func median(preparing: () -> Void = {}, _ body: (Int) throws -> Void) throws -> Double {
        var times: [Int64] = []
        for round in 0..<rounds {
            preparing()
            let began = TimeSource.system.now
            try body(round)
            times.append((TimeSource.system.now - began).nanoseconds)
        }
        return Double(times.sorted()[rounds / 2]) / 1_000
    }
}
