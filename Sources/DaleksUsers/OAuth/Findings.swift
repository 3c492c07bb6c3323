import DaleksCore
import DaleksHTTP

/// How sessions stand that programs ask about. A file next door is asked at once; a database server is asked about
/// several in one trip.
struct Findings: Sendable {
    private let store: UsersStore
    private let gathering: Gathering<StandingTable.Question, StandingTable.Finding?>

    init(store: UsersStore) {
        self.store = store
        gathering = Gathering(
            tripsMax: Limits.Users.gatheredTripsMax,
            questionsMax: Limits.Users.gatheredQuestionsMax
        ) { questions throws(APIError) in
            try store.readOnce { db in try StandingTable.load(questions, db) }
        }
    }

    /// Nil where there is no such program.
    func of(_ session: SessionID, askedBy client: String) throws(APIError) -> StandingTable.Finding? {
        guard store.isShared else {
            return try store.readOnce { db in try StandingTable.load(session, askedBy: client, db) }
        }
        return try gathering.ask(StandingTable.Question(session: session, client: client))
    }
}
