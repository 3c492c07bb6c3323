import DaleksAPI
import DaleksCore
import DaleksCrypto
import DaleksHTTP
import DaleksHTTPClient
import DaleksJSON
import DaleksSystem
import DaleksTestSupport
import Testing

@testable import DaleksUsers

/// Whether there is an account is told by no status, no word and no time, where strangers may ask.
@Suite(.serialized)
struct EnumerationTests {
    enum Question: String, CaseIterable {
        case register, forgot

        func ask(_ service: TestService, _ email: String) throws -> ClientResponse {
            switch self {
            case .register:
                try service.json(
                    .post,
                    Routes.Users.users,
                    ["email": .string(email), "password": .string(TestService.password), "name": "Somebody"]
                )
            case .forgot: try service.json(.post, Routes.Users.forgotPassword, ["email": .string(email)])
            }
        }
    }

    /// 500 of each in the long form (DALEKS_ROUNDS); the short one only looks for the gross: a step that is skipped.
    private static let roundCount = Environment.current["DALEKS_ROUNDS"].flatMap { Int($0) } ?? 16

    @Test(arguments: Question.allCases, Backend.allCases)
    func `an address that has an account is answered as one that has none, and as late`(
        question: Question,
        backend: Backend
    ) throws {
        let service = try TestService(on: backend) { settings in
            settings.registration = .mail
            settings.mailsPerAddressMax = 1_000_000
            settings.mailsPerSiteMax = 1_000_000
            settings.passwordParameters = .standard
            // Carrying mail would only blur what is measured.
            settings.mailInterval = .seconds(3_600)
        }
        defer { service.stop() }
        let admin = try Person.admin(service)
        var times: [[Double]] = [[], []]
        var answers: Set<String> = []

        for round in 0..<(2 * Self.roundCount) {
            // In turns, and in both orders, so that what else this machine does meets both alike.
            let isKnown = (round + round / 2) % 2 == 0
            let email = isKnown ? admin.email : "some\(round)@example.com"
            let began = TimeSource.system.now
            let answer = try question.ask(service, email)
            times[isKnown ? 0 : 1].append(Double((TimeSource.system.now - began).nanoseconds))
            answers.insert("\(answer.status.code) \(answer.text) \(answer.fields.all.map(\.name).sorted())")
        }

        // Of many the medians. Of few the fast ones, which others on this machine slowed least.
        let medians = times.map { $0.sorted()[Self.roundCount >= 500 ? $0.count / 2 : $0.count / 10] }
        let difference = abs(medians[0] - medians[1]) / medians[0]
        #expect(answers.count == 1, "\(answers)")
        #expect(difference < (Self.roundCount >= 500 ? 0.02 : 0.5), "medians \(medians), \(difference * 100) %")
        if Self.roundCount >= 500 {
            print("\(question), \(backend): \(medians.map { $0 / 1e6 }) ms, \(difference * 100) %")
        }
    }

    @Test func `nothing comes of what was written for nobody`() throws {
        let service = try TestService { $0.registration = .mail }
        defer { service.stop() }
        let admin = try Person.admin(service)

        for question in Question.allCases { _ = try question.ask(service, "nobody@example.com") }
        _ = try Question.register.ask(service, admin.email)
        let mails = try service.mails(atLeast: 2)
        Gate().wait(timeout: .milliseconds(200))

        // The confirmation for who is new, and the note to who is not; no mail with a link to a password for nobody.
        #expect(mails.count == 2)
        #expect(try service.mails(atLeast: 2).count == 2)
        #expect(mails.filter { $0.contains("/verify?token=") }.count == 1)
        #expect(mails.filter { $0.contains("/reset?token=") }.isEmpty)
    }

    @Test func `a wish for a new password that no process looked at before it ended is answered by the next, once`()
        throws
    {
        let folder = ScratchFolder()
        let before = try TestService(folder: folder) { $0.mailInterval = .seconds(3_600) }
        try before.register()
        #expect(try Question.forgot.ask(before, "ann@example.com").status == .accepted)
        before.stop()

        let after = try TestService(folder: folder)
        defer { after.stop() }
        #expect(try after.mails(atLeast: 1).count == 1)
        Gate().wait(timeout: .milliseconds(100))
        #expect(try after.mails(atLeast: 1).filter { $0.contains("/reset?token=") }.count == 1)
    }
}
