import DaleksCore
import DaleksCrypto
import DaleksHTTP
import DaleksHTTPServer
import DaleksJSON
import DaleksSystem

/// `POST /oauth/introspect` (RFC 7662): whether a token is good, and for what. Only clients with a secret may ask.
///
/// Files services and gateways may ask about each request that they get, so this is the busiest of the endpoints. A
/// request is read on the event thread, and what the database has to say comes by `Gathering`: of all that ask at the
/// same moment, the askers, sessions and accounts are one statement. Nothing is kept in between: an answer is what the
/// database says when it is given, whichever process changed it.
///
/// ## Concurrency
/// Immutable; `gathering` guards itself.
final class Introspection: Sendable {
    typealias Answer = Result<JSONObject, OAuthFailure>

    struct Question: Sendable {
        fileprivate let claim: ClientAuthentication.Claim
        fileprivate let token: String?
    }

    private let gathering: Gathering<Question, Answer>

    init(authentication: ClientAuthentication, sessions: Sessions, check: AccessTokenCheck) {
        let answering = Answering(authentication: authentication, sessions: sessions, check: check)
        gathering = Gathering(
            name: "introspection",
            tripsMax: Limits.Users.gatheredTripsMax,
            questionsMax: Limits.Users.gatheredQuestionsMax,
            waitingMax: Limits.Users.gatheredWaitingMax
        ) { questions throws(APIError) in try answering.answers(to: questions) }
    }

    /// What is asked, as far as the request says it: nothing here waits.
    static func question(_ form: OAuthForm, _ request: HTTPRequest) throws(OAuthFailure) -> Question {
        Question(claim: try ClientAuthentication.claim(ofConfidential: request, form), token: form["token"])
    }

    /// Answers later, on another thread.
    func ask(_ question: Question, then reply: @escaping @Sendable (Answer) -> Void) {
        gathering.ask(question) { found in
            switch found {
            case .success(let answer): reply(answer)
            case .failure(let error): reply(.failure(.api(error)))
            }
        }
    }

    func close() { gathering.close() }
}

/// How questions that came together are answered.
private struct Answering: Sendable {
    let authentication: ClientAuthentication
    let sessions: Sessions
    let check: AccessTokenCheck

    func answers(to questions: [Introspection.Question]) throws(APIError) -> [Introspection.Answer] {
        let claims = questions.map { question in question.token.flatMap { check.claims(ifGood: $0) } }
        let asked = zip(questions, claims).map { question, claims in
            claims.flatMap { AccessTokenCheck.session(of: $0) }.map {
                StandingTable.Question(session: $0, client: question.claim.id)
            }
        }
        // Of tokens that people's programs have, by far the most.
        let together = asked.compactMap { $0 }
        var found: ArraySlice<StandingTable.Finding?> = []
        if !together.isEmpty {
            found = try check.store.readOnce { db in try StandingTable.load(together, db) }[...]
        }
        return zip(questions, zip(claims, asked)).map { question, facts in
            Introspection.Answer { () throws(OAuthFailure) in
                guard let claims = facts.0, facts.1 != nil else { return try answer(question, facts.0) }
                return try answer(question, claims, found.removeFirst())
            }
        }
    }

    /// Nothing is told before the asker is proved.
    private func answer(
        _ question: Introspection.Question,
        _ claims: JWT.Claims,
        _ found: StandingTable.Finding?
    ) throws(OAuthFailure) -> JSONObject {
        try authentication.prove(question.claim, secret: found?.clientSecret)
        guard let vitals = found?.vitals, check.holds(claims, vitals) else { return ["active": false] }
        return Self.facts(claims, username: vitals.email)
    }

    /// Of everything else: a program's own token, a refresh token, and what is no token of ours.
    private func answer(_ question: Introspection.Question, _ claims: JWT.Claims?) throws(OAuthFailure) -> JSONObject {
        let client = try authentication.confidential(question.claim)
        guard let token = question.token else {
            throw .refused(OAuthError(.invalidRequest, "the parameter token is missing"))
        }
        do throws(APIError) {
            if let claims {
                guard let access = try check.access(of: claims) else { return ["active": false] }
                return Self.facts(claims, username: access.account?.email)
            }
            if let session = try sessions.session(of: token), isGood(session), session.client == client.id {
                return Self.facts(session, token)
            }
            return ["active": false]
        } catch {
            throw .api(error)
        }
    }

    /// A refresh token is its own program's business; others are told nothing about it.
    private func isGood(_ session: SessionState) -> Bool {
        session.ended == nil && !sessions.rule.isOver(session, at: sessions.time.wall)
    }

    private static func facts(_ claims: JWT.Claims, username: Email?) -> JSONObject {
        var facts: JSONObject = ["active": true, "token_type": "Bearer"]
        for name in ["iss", "sub", "aud", "scope", "client_id", "iat", "exp", "jti", "sid"] {
            if let value = claims.members[name] { facts[name] = value }
        }
        if let username { facts["username"] = .string(username.text) }
        return facts
    }

    private static func facts(_ session: SessionState, _ token: String) -> JSONObject {
        guard RefreshToken(token)?.digest == session.current else { return ["active": false] }
        return [
            "active": true, "token_type": "refresh_token", "client_id": .string(session.client),
            "sub": .string("\(session.account)"), "sid": .string("\(session.id)"),
            "scope": .string(session.scope.text), "iat": .integer(session.used.seconds),
        ]
    }
}
