import DaleksCore
import DaleksCrypto
import DaleksHTTP
import DaleksService
import DaleksSystem
import Glibc

/// What a service is made of, put together.
struct Parts {
    let store: UsersStore
    let hasher: PasswordHasher
    let keys: KeyRing
    let issuer: TokenIssuer
    let sessions: Sessions
    let accounts: AccountParts
    let check: AccessTokenCheck
    let clients: Clients
    let authorization: Authorization
    let devices: DeviceGrant
    let upkeep: Upkeep
    let introspection: Introspection
    private let measures: UsersMeasures
    private let time: TimeSource

    init(
        _ settings: UsersSettings,
        _ state: StateFolder,
        _ store: UsersStore,
        _ metrics: Metrics,
        _ time: TimeSource,
        _ logger: Logger
    ) throws(ServiceFailure) {
        self.store = store
        let measures = UsersMeasures(metrics)
        hasher = try Self.hasher(settings, measures)
        keys = try Self.keys(settings, state, store, time, logger)
        issuer = TokenIssuer(keys: keys, lifetime: settings.accessLifetime, time: time)
        sessions = Sessions(
            store: store,
            issuer: issuer,
            rule: settings.refreshRule,
            measures: measures,
            time: time,
            logger: logger
        )
        check = AccessTokenCheck(
            store: store,
            keys: keys,
            issuer: issuer,
            rule: settings.refreshRule,
            time: time
        )
        let sealing: SealingKeys
        do throws(SealingFailure) {
            sealing = try SealingKeys(settings.sealingKeyFile ?? "\(state.path)/keys/sealing.keys")
        } catch {
            throw ServiceFailure("\(error)")
        }
        accounts = AccountParts(
            settings,
            store: store,
            hasher: hasher,
            keys: keys,
            sealing: sealing,
            sessions: sessions,
            check: check,
            metrics: metrics,
            logger: logger
        )
        clients = Clients(store: store, time: time)
        authorization = Authorization(
            store: store,
            sessions: sessions,
            issuer: issuer,
            rule: settings.oauthRule,
            measures: measures,
            time: time,
            logger: logger
        )
        devices = DeviceGrant(
            store: store,
            sessions: sessions,
            clients: clients,
            issuer: issuer,
            rule: settings.oauthRule,
            attemptRule: settings.attemptRule,
            time: time
        )
        introspection = Introspection(
            authentication: ClientAuthentication(clients: clients),
            sessions: sessions,
            check: check
        )
        self.measures = measures
        self.time = time
        if settings.keySchedule.announce < Limits.Users.keyAnnouncementMin {
            logger.warning(
                "keys sign sooner after they are announced than regions and libraries ask for unknown ones",
                ["seconds": Limits.Users.keyAnnouncementMin.nanoseconds / 1_000_000_000]
            )
        }
        upkeep = Upkeep(
            store: store,
            keys: keys,
            lifeline: accounts.lifeline,
            sealing: sealing,
            refreshRule: settings.refreshRule,
            oauthRule: settings.oauthRule,
            attemptMemory: max(settings.attemptRule.memory, settings.siteAttemptRule.memory),
            time: time,
            logger: logger
        )
        do throws(APIError) {
            try store.write { db in try RegionTable.configure(settings.regions, db) }
        } catch {
            throw ServiceFailure("the regions cannot be written down: \(error.detail)")
        }
        if settings.regions.isEmpty {
            logger.notice("no region is configured; unless one is enrolled, nobody can log in until --region names one")
        }
    }

    func routes(_ settings: UsersSettings, _ metrics: Metrics) -> UsersRouter {
        UsersRouter(
            store: store,
            accounts: accounts,
            logIn: accounts.logIn,
            oauth: oauth(settings),
            pages: PageRoutes(
                store: store,
                sessions: sessions,
                clients: clients,
                logIn: accounts.logIn,
                changes: accounts.changes,
                appPasswords: accounts.appPasswords,
                authorization: authorization,
                devices: devices,
                mail: accounts.pages,
                factors: accounts.factors,
                issuer: issuer,
                time: time
            ),
            documents: DocumentRoutes(issuer: issuer),
            check: check,
            metrics: metrics
        )
    }

    private func oauth(_ settings: UsersSettings) -> OAuthRoutes {
        // Half of the announcement: whoever asked just before a key was announced asks again before it signs.
        let age = min(Limits.Users.keySetAgeMax, settings.keySchedule.announce / 2)
        let authentication = ClientAuthentication(clients: clients)
        return OAuthRoutes(
            authentication: authentication,
            tokens: TokenEndpoint(
                authentication: authentication,
                authorization: authorization,
                devices: devices,
                sessions: sessions,
                issuer: issuer,
                store: store,
                measures: measures
            ),
            devices: devices,
            revocation: Revocation(authentication: authentication, sessions: sessions, check: check),
            introspection: introspection,
            userInfo: UserInfo(check: check),
            keys: keys,
            issuer: issuer,
            keySetAgeSeconds: age.nanoseconds / 1_000_000_000
        )
    }

    func measure(_ metrics: Metrics, _ time: TimeSource) {
        metrics.gauge("daleks_users_password_queue", help: "Passwords that are hashed or wait to be.") { [hasher] in
            Double(hasher.admittedCount)
        }
        metrics.gauge("daleks_users_key_age_seconds", help: "How long the present key has signed.") { [keys] in
            let activated = keys.records.first { $0.stage == .active }?.activated
            return Double((time.wall - (activated ?? time.wall)).nanoseconds) / 1e9
        }
        metrics.gauge(
            "daleks_users_oldest_key_age_seconds",
            help: "How long ago the oldest key that is published was announced."
        ) { [keys] in
            let announced = keys.records.map(\.announced).min()
            return Double((time.wall - (announced ?? time.wall)).nanoseconds) / 1e9
        }
        metrics.gauge("daleks_users_keys", help: "Keys that are published.") { [keys] in Double(keys.records.count) }
    }

    private static func hasher(
        _ settings: UsersSettings,
        _ measures: UsersMeasures
    ) throws(ServiceFailure) -> PasswordHasher {
        let coreCount = max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN)))
        do throws(CryptoError) {
            return try PasswordHasher(
                parameters: settings.passwordParameters,
                coreCount: coreCount,
                waitingCountMax: coreCount * settings.waitingHashesMaxPerCore,
                hashes: measures.passwordHashes
            )
        } catch {
            throw ServiceFailure("passwords cannot be hashed: \(error)")
        }
    }

    private static func keys(
        _ settings: UsersSettings,
        _ state: StateFolder,
        _ store: UsersStore,
        _ time: TimeSource,
        _ logger: Logger
    ) throws(ServiceFailure) -> KeyRing {
        let path = "\(state.path)/keys"
        let folder: KeyFolder
        do throws(Errno) {
            folder = try KeyFolder(path)
        } catch {
            throw ServiceFailure("the folder \(path) cannot be used: \(error)")
        }
        do throws(APIError) {
            return try KeyRing(
                store: store,
                folder: folder,
                schedule: settings.keySchedule,
                time: time,
                logger: logger
            )
        } catch {
            throw ServiceFailure("there is no key to sign with: \(error.detail)")
        }
    }
}
