/// Where the pages are, below the issuer's URL.
enum PagePaths {
    static let login = "/login"
    static let logout = "/logout"
    static let consent = "/oauth/consent"
    static let device = "/device"
    static let deviceDecision = "/device/decision"
    static let account = "/account"
    static let endSession = "/account/sessions/end"
    static let endOtherSessions = "/account/sessions/end-others"
    static let password = "/account/password"
    static let makeAppPassword = "/account/app-passwords"
    static let endAppPassword = "/account/app-passwords/end"
    static let factor = "/account/second-factor"
    static let confirmFactor = "/account/second-factor/confirm"
    static let recoveryCodes = "/account/second-factor/codes"
    static let endFactor = "/account/second-factor/end"
    static let style = "/pages/style.css"
}
