import DaleksCore
import DaleksHTTP
import DaleksHTTPServer
import DaleksService
import DaleksSystem

/// What accounts, the directory and administration are made of, put together.
struct AccountParts {
    let attempts: Attempts
    let proof: PasswordProof
    let correspondence: Correspondence
    let registration: Registration
    let logIn: LogIn
    let changes: AccountChanges
    let appPasswords: AppPasswords
    let firstAdmin: FirstAdmin
    let restoration: Restoration
    let lifeline: Lifeline
    let feed: RevocationFeed
    let health: RegionHealth
    let postman: Postman
    let pages: MailPages
    let factors: SecondFactors
    private let accounts: AccountRoutes
    private let directory: DirectoryRoutes
    private let admin: AdminRoutes

    init(
        _ settings: UsersSettings,
        store: UsersStore,
        hasher: PasswordHasher,
        keys: KeyRing,
        sealing: SealingKeys,
        sessions: Sessions,
        check: AccessTokenCheck,
        metrics: Metrics,
        logger: Logger
    ) {
        let (issuer, time, measures) = (sessions.issuer, sessions.time, sessions.measures)
        let state = settings.serving.stateFolder
        attempts = Attempts(
            store: store,
            accountRule: settings.attemptRule,
            siteRule: settings.siteAttemptRule,
            measures: measures,
            time: time
        )
        proof = PasswordProof(
            store: store,
            hasher: hasher,
            attempts: attempts,
            sealing: sealing,
            measures: measures,
            time: time
        )
        correspondence = Correspondence(
            issuer: issuer,
            attempts: attempts,
            mailsPerAddressMax: settings.mailsPerAddressMax,
            mailsPerSiteMax: settings.mailsPerSiteMax
        )
        registration = Registration(
            store: store,
            mode: settings.registration,
            perHourMax: settings.registrationsPerHourMax,
            hasher: hasher,
            attempts: attempts,
            correspondence: correspondence,
            measures: measures,
            time: time
        )
        logIn = LogIn(store: store, proof: proof, sessions: sessions, measures: measures, time: time)
        firstAdmin = FirstAdmin(store: store, hasher: hasher, time: time)
        restoration = Restoration(store: store, time: time, logger: logger)
        lifeline = Lifeline(path: "\(state)/lifeline", store: store)
        feed = RevocationFeed(store: store, time: time)
        health = RegionHealth(store: store, time: time, logger: logger)
        let delivery = MailDelivery(route: settings.mail ?? .folder("\(state)/mail"), sender: settings.mailSender)
        let reset = PasswordReset(
            store: store,
            hasher: hasher,
            proof: proof,
            correspondence: correspondence,
            time: time
        )
        postman = Postman(
            store: store,
            delivery: delivery,
            reset: reset,
            interval: settings.mailInterval,
            metrics: metrics,
            time: time,
            logger: logger
        )
        pages = MailPages(registration: registration, reset: reset)
        changes = AccountChanges(
            store: store,
            hasher: hasher,
            proof: proof,
            mode: settings.registration,
            correspondence: correspondence,
            time: time
        )
        appPasswords = AppPasswords(store: store, changes: changes, time: time)
        factors = SecondFactors(
            store: store,
            changes: changes,
            attempts: attempts,
            sealing: sealing,
            issuer: issuer,
            time: time
        )
        let services = ServiceCheck(store: store)
        let enrolment = Enrolment(store: store, issuer: issuer, time: time)
        accounts = AccountRoutes(
            store: store,
            registration: registration,
            reset: reset,
            changes: changes,
            factors: factors,
            appPasswords: appPasswords,
            people: People(
                store: store,
                attempts: attempts,
                lookUpsPerHourMax: settings.lookUpsPerHourMax
            ),
            check: check,
            services: services,
            sessions: sessions,
            time: time
        )
        directory = DirectoryRoutes(store: store, enrolment: enrolment, feed: feed, services: services)
        admin = AdminRoutes(
            store: store,
            first: firstAdmin,
            users: UserAdministration(
                store: store,
                hasher: hasher,
                reset: reset,
                refreshRule: sessions.rule,
                time: time
            ),
            regions: RegionAdministration(store: store, time: time),
            enrolment: enrolment,
            inspection: TokenInspection(
                store: store,
                keys: keys,
                issuer: issuer,
                refreshRule: sessions.rule,
                time: time
            ),
            restoration: restoration,
            clients: AdminClientRoutes(clients: Clients(store: store, time: time), keys: keys),
            check: check
        )
    }

    func add(to router: inout Router) {
        accounts.add(to: &router)
        directory.add(to: &router)
        admin.add(to: &router)
    }

    /// Before anybody is served. The token for the first administrator, where there is none.
    func prepare(_ logger: Logger) throws(ServiceFailure) -> String? {
        do throws(APIError) {
            try lifeline.store.write { db in try RevocationTable.begin(db) }
            if try lifeline.showsRestoration() { try restoration.run(by: nil, from: nil) }
            try lifeline.note()
            return try firstAdmin.invite()
        } catch {
            throw ServiceFailure("the database cannot be prepared: \(error.detail)")
        }
    }

    func start() {
        feed.start()
        health.start()
        postman.start()
    }

    func stop() {
        postman.stop()
        health.stop()
        do throws(APIError) { try lifeline.note() } catch {
            // The note of half a minute ago stays, which is as good but for what ended since.
        }
    }
}
