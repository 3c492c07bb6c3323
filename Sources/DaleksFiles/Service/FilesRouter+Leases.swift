import DaleksAPI
import DaleksCore
import DaleksHTTP
import DaleksHTTPServer

/// Leases, under which machines decide about locks.
extension FilesRouter {
    func addLeases(to router: inout Router) {
        let readers = callers(.read)
        router.onAuthenticated(.post, Routes.Files.leasePattern, by: readers) {
            [leases] request, asked throws(APIError) in
            let asking: LeaseRequest = try Self.body(of: request)
            // To keep others from writing is to write.
            if asking.mode == .exclusive { try asked.principal.require(.write) }
            return try leases.ask(
                .take(asking.mode, try asked.parameters.identifier("id"), unlessUsed: asking.unlessUsed),
                of: asked.principal,
                device: asking.device,
                waiting: asking.waitSeconds
            )
        }
        router.onAuthenticated(.delete, Routes.Files.leasePattern, by: readers) {
            [leases] request, asked throws(APIError) in
            guard let device: DeviceID = try request.query.identifier("device"),
                let number = try request.query.integer("number", in: 0...Int64.max)
            else { throw .malformed("the parameters device and number must say which lease it is") }
            let outcome = try leases.leases.store.returnLease(
                number,
                on: try asked.parameters.identifier("id"),
                by: LeaseHolder(user: asked.principal.user, device: device)
            )
            leases.announce(outcome.told)
            return .empty()
        }
        router.onAuthenticated(
            .post,
            Routes.Files.leases,
            by: readers,
            body: .limited(to: Int64(Limits.Files.leaseBytesMax))
        ) { [leases] request, asked throws(APIError) in
            let watch: LeaseWatch = try Self.body(of: request, max: Limits.Files.leaseBytesMax)
            let holder = LeaseHolder(user: asked.principal.user, device: watch.device)
            let renewed = try leases.leases.store.renewLeases(watch.held, by: holder)
            leases.announce(renewed.told)
            guard renewed.value.isEmpty else {
                let recalled = (try leases.leases.store.recalledLeases(of: holder) ?? []).map(\.place.node)
                return .json(
                    of: LeaseNews(seconds: Limits.Files.leaseSecondsTold, recalled: recalled, lost: renewed.value)
                )
            }
            return try leases.ask(
                .watch(
                    known: Dictionary(
                        watch.held.filter(\.isRecalled).map { ($0.node, $0.number) },
                        uniquingKeysWith: { first, _ in first }
                    )
                ),
                of: asked.principal,
                device: watch.device,
                waiting: watch.waitSeconds
            )
        }
    }
}
