import DaleksAPI
import DaleksCore
import DaleksHTTP
import DaleksHTTPServer

/// Grants, visibility, and what is shared with whom.
extension FilesRouter {
    func addSharing(to router: inout Router) {
        let (readers, sharers) = (callers(.read), callers(.share))
        router.onAuthenticated(.get, Routes.Files.accessPattern, by: readers) { [store] _, asked throws(APIError) in
            .json(of: try store.accessRecord(to: try asked.parameters.identifier("id"), for: asked.principal.user))
        }
        router.onAuthenticated(.get, Routes.Files.grantsPattern, by: readers) { [store] _, asked throws(APIError) in
            let grants = try store.grants(on: try asked.parameters.identifier("id"), for: asked.principal.user)
            return .json(of: GrantList(grants))
        }
        router.onAuthenticated(.put, Routes.Files.grantPattern, by: sharers) {
            [store, feed] request, asked throws(APIError) in
            let told = try store.grant(
                try Self.body(of: request),
                to: try asked.parameters.identifier("user"),
                on: try asked.parameters.identifier("id"),
                by: asked.principal.user
            )
            for owner in told.owners { feed.announce(owner) }
            return .json(of: told.value)
        }
        router.onAuthenticated(.delete, Routes.Files.grantPattern, by: callers([])) {
            [store, feed] _, asked throws(APIError) in
            let user: UserID = try asked.parameters.identifier("user")
            // Leaving what others share lets nobody in.
            try asked.principal.require(user == asked.principal.user ? .write : .share)
            let told = try store.revoke(
                user,
                on: try asked.parameters.identifier("id"),
                by: asked.principal.user
            )
            for owner in told.owners { feed.announce(owner) }
            return .empty()
        }
        router.onAuthenticated(.put, Routes.Files.visibilityPattern, by: sharers) {
            [store, feed] request, asked throws(APIError) in
            let told = try store.setVisibility(
                try Self.body(of: request),
                of: try asked.parameters.identifier("id"),
                by: asked.principal.user
            )
            for owner in told.owners { feed.announce(owner) }
            return .json(of: told.value)
        }
        router.onAuthenticated(.get, Routes.Files.sharedWithMe, by: readers) {
            [store] request, asked throws(APIError) in
            let page = try store.sharedWithMe(
                asked.principal.user,
                after: try request.query.identifier("after"),
                limit: try Self.limit(request.query)
            )
            return .json(of: page)
        }
        router.onAuthenticated(.get, Routes.Files.sharedByMe, by: readers) { [store] request, asked throws(APIError) in
            let page = try store.sharedByMe(
                asked.principal.user,
                after: try request.query.identifier("after"),
                limit: try Self.limit(request.query)
            )
            return .json(of: page)
        }
    }
}
