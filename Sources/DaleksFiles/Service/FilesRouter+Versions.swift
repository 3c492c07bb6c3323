import DaleksAPI
import DaleksCore
import DaleksHTTP
import DaleksHTTPServer

/// Versions and trash.
extension FilesRouter {
    func addVersions(to router: inout Router) {
        let (readers, writers) = (callers(.read), callers(.write))
        router.onAuthenticated(.get, Routes.Files.versionsPattern, by: readers) { [store] _, asked throws(APIError) in
            let versions = try store.versions(of: try asked.parameters.identifier("id"), for: asked.principal.user)
            return .json(of: versions)
        }
        router.onAuthenticated(.patch, Routes.Files.versionPattern, by: writers) {
            [store] request, asked throws(APIError) in
            let version = try store.changeVersion(
                try asked.parameters.integer("revision"),
                of: try asked.parameters.identifier("id"),
                try Self.body(of: request),
                by: asked.principal.user
            )
            return .json(of: version)
        }
        router.onAuthenticated(.delete, Routes.Files.versionPattern, by: writers) {
            [store] _, asked throws(APIError) in
            try store.deleteVersion(
                try asked.parameters.integer("revision"),
                of: try asked.parameters.identifier("id"),
                by: asked.principal.user
            )
            return .empty()
        }
        router.onAuthenticated(.post, Routes.Files.versionRestorePattern, by: writers) {
            [store, feed] request, asked throws(APIError) in
            let wanted: VersionRestoreRequest = try Self.body(of: request)
            let told = try store.restoreVersion(
                try asked.parameters.integer("revision"),
                of: try asked.parameters.identifier("id"),
                over: wanted.base,
                by: asked.principal.user
            )
            for owner in told.owners { feed.announce(owner) }
            return .json(of: told.value)
        }
    }

    func addTrash(to router: inout Router) {
        let (readers, writers) = (callers(.read), callers(.write))
        router.onAuthenticated(.get, Routes.Files.trash, by: readers) { [store] request, asked throws(APIError) in
            let page = try store.trash(
                of: asked.principal.user,
                after: try request.query.identifier("after"),
                limit: try Self.limit(request.query)
            )
            return .json(of: page)
        }
        router.onAuthenticated(.post, Routes.Files.trashRestorePattern, by: writers) {
            [store, feed] request, asked throws(APIError) in
            let told = try store.restoreTrash(
                try asked.parameters.identifier("id"),
                try Self.body(of: request),
                of: asked.principal.user
            )
            for owner in told.owners { feed.announce(owner) }
            return .json(of: told.value)
        }
        router.onAuthenticated(.delete, Routes.Files.trashItemPattern, by: writers) {
            [store] _, asked throws(APIError) in
            try store.purgeTrash(try asked.parameters.identifier("id"), of: asked.principal.user)
            return .empty()
        }
        router.onAuthenticated(.delete, Routes.Files.trash, by: writers) { [store] _, asked throws(APIError) in
            try store.emptyTrash(of: asked.principal.user)
            return .empty()
        }
    }
}
