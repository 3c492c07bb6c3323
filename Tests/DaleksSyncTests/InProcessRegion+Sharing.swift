import DaleksAPI
import DaleksCore
import DaleksHTTP
import DaleksSync
import DaleksSystem

@testable import DaleksFiles

extension InProcessRegion: SharingRemote {
    func sharedWithMe(after node: NodeID?) throws(RemoteError) -> SharedWithMe {
        try asking { () throws(APIError) in try storage.store.sharedWithMe(owner, after: node, limit: 100) }
    }

    func follow(_ request: FollowRequest, until interruption: Interruption) throws(RemoteError) -> FollowAnswer {
        let deadline = TimeSource.system.now + .seconds(request.waitSeconds)
        // Looks often instead of being woken: what is tested here is what happens with the answer.
        while true {
            if interruption.isInterrupted { throw .canceled }
            var pages: [FollowAnswer.Page] = []
            for place in request.places {
                guard let cursor = Cursor(place.cursor) else { throw .cursorExpired }
                do throws(RemoteError) {
                    let page = try asking { () throws(APIError) in
                        try storage.store.changes(of: place.owner, after: cursor, for: owner)
                    }
                    guard !page.changes.isEmpty else { continue }
                    let changes = ChangesPage(changes: page.changes, cursor: page.cursor.description)
                    pages.append(FollowAnswer.Page(owner: place.owner, outcome: .changes(changes)))
                } catch {
                    switch error {
                    case .cursorExpired: pages.append(FollowAnswer.Page(owner: place.owner, outcome: .cursorExpired))
                    case .notFound: pages.append(FollowAnswer.Page(owner: place.owner, outcome: .notFound))
                    default: throw error
                    }
                }
            }
            guard pages.isEmpty, TimeSource.system.now < deadline else { return FollowAnswer(pages) }
            pause()
        }
    }

    /// As the users service would say it.
    func names(of people: [UserID]) throws(RemoteError) -> [UserID: String] {
        try asking { () throws(APIError) in
            Dictionary(uniqueKeysWithValues: people.map { ($0, "user-\("\($0)".suffix(4))") })
        }
    }

    func leave(_ node: NodeID) throws(RemoteError) {
        _ = try asking { () throws(APIError) in try storage.store.revoke(owner, on: node, by: owner) }
    }

    func missing(_ digests: [Digest], for node: NodeID?) throws(RemoteError) -> [Digest] {
        guard let node else { return try missing(digests) }
        return try asking { () throws(APIError) in
            try storage.store.missing(digests, in: try storage.store.chunkPlace(for: node, of: owner))
        }
    }

    func put(_ chunks: [ChunkBatch.Member], for node: NodeID?) throws(RemoteError) {
        guard let node else { return try put(chunks) }
        for chunk in chunks {
            _ = try asking { () throws(APIError) in
                try storage.content.put(chunk.content, as: chunk.digest, for: node, of: owner)
            }
        }
    }
}
