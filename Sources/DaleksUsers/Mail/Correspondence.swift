import DaleksCore
import DaleksHTTP
import DaleksSystem

/// What this service writes to people. Every link begins with the configured issuer; nothing of a request reaches it.
struct Correspondence: Sendable {
    let issuer: TokenIssuer
    let attempts: Attempts
    /// In an hour.
    let mailsPerAddressMax: Int
    let mailsPerSiteMax: Int

    /// Where links lead: pages of this service.
    static let verifyPath = "/verify"
    static let resetPath = "/reset"

    /// Whether a stranger may have one more mail sent to this address. False is not told to anybody.
    func mayWrite(to email: Email, from origin: Origin) throws(APIError) -> Bool {
        let site = AttemptSubject(mailsFrom: origin.site)
        guard try attempts.count(site, perHourMax: mailsPerSiteMax) == nil else { return false }
        let address = AttemptSubject(mailsTo: email)
        return try attempts.count(address, perHourMax: mailsPerAddressMax) == nil
    }

    func verification(_ email: Email, _ token: Secret) -> Letter {
        Letter(
            recipient: email,
            subject: "Confirm your address",
            body: """
                Somebody, you we hope, wants to use this address for an account here.

                Confirm it within a day:
                \(link(Self.verifyPath, token))

                You are asked there for the password that was chosen. If it was not you, do nothing: there will be no
                account.
                """
        )
    }

    func alreadyRegistered(_ email: Email) -> Letter {
        Letter(
            recipient: email,
            subject: "You have an account already",
            body: """
                Somebody, you perhaps, wanted to make an account with this address. There is one already.

                Log in with your password. If you forgot it, ask for a link to set another:
                \(issuer.issuer)\(MailPages.forgotPath)
                """
        )
    }

    /// To the present one, while there is time to prevent it.
    func addressWanted(_ email: Email) -> Letter {
        Letter(
            recipient: email,
            subject: "Your account is to have another address",
            body: """
                Somebody, you we hope, wants to give your account here another e-mail address. It holds once a link that
                was sent there is used.

                If that was not you, somebody knows your password: set another, which makes that link void.
                """
        )
    }

    func newAddress(_ email: Email, _ token: Secret) -> Letter {
        Letter(
            recipient: email,
            subject: "Confirm your new address",
            body: """
                This address is to be the new one of an account here. Confirm it within a day:
                \(link(Self.verifyPath, token))

                You are asked there for the account's password. If you know nothing of it, do nothing: nothing will
                change.
                """
        )
    }

    /// To the former address: whoever owns it must hear of it.
    func addressChanged(_ email: Email) -> Letter {
        Letter(
            recipient: email,
            subject: "Your account has another address now",
            body: """
                From now on your account here has another e-mail address, and this one does not lead to it any more.

                If that was not you, ask an administrator to lock the account.
                """
        )
    }

    func passwordReset(_ email: Email, _ token: Secret) -> Letter {
        Letter(
            recipient: email,
            subject: "Set a new password",
            body: """
                Somebody, you we hope, asked for a new password of the account with this address.

                Set it within an hour:
                \(link(Self.resetPath, token))

                Every log-in ends then. If it was not you, do nothing: your password stays.
                """
        )
    }

    func welcome(_ email: Email, _ token: Secret) -> Letter {
        Letter(
            recipient: email,
            subject: "Your account",
            body: """
                An administrator made an account for you here. Set your password within a day:
                \(link(Self.resetPath, token))
                """
        )
    }

    func passwordChanged(_ email: Email) -> Letter {
        Letter(
            recipient: email,
            subject: "Your password was changed",
            body: """
                The password of your account here was changed just now.

                If that was not you, set another by the link on the log-in page, and look at your log-ins there.
                """
        )
    }

    private func link(_ path: String, _ token: Secret) -> String { "\(issuer.issuer)\(path)?token=\(token.text)" }
}
