import DaleksAPI
import DaleksCore
import DaleksHTTP
import DaleksHTTPServer

/// Files and folders that change their owner.
extension FilesRouter {
    func addTransfers(to router: inout Router) {
        let (readers, writers) = (callers(.read), callers(.write))
        let transfers = Transfers(items: items)
        router.onAuthenticated(.post, Routes.Files.nodeTransferPattern, by: writers) {
            request,
            asked throws(APIError) in
            let offer = try transfers.offer(
                try asked.parameters.identifier("id"),
                try Self.body(of: request),
                by: asked.principal.user
            )
            return .json(of: offer, status: .created)
        }
        router.onAuthenticated(.get, Routes.Files.transfers, by: readers) { _, asked throws(APIError) in
            .json(of: try transfers.list(of: asked.principal.user))
        }
        router.onAuthenticated(.post, Routes.Files.transferAcceptPattern, by: writers) {
            request,
            asked throws(APIError) in
            let node = try transfers.accept(
                try asked.parameters.identifier("id"),
                try Self.body(of: request),
                by: asked.principal.user
            )
            return .json(of: node, status: .created)
        }
        router.onAuthenticated(.delete, Routes.Files.transferPattern, by: writers) { _, asked throws(APIError) in
            try transfers.withdraw(try asked.parameters.identifier("id"), by: asked.principal.user)
            return .empty()
        }
    }
}
