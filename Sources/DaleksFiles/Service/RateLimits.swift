import DaleksCore
import DaleksHTTP
import DaleksHTTPServer
import DaleksService
import DaleksSystem

/// How many requests a user and an address may send. By default more than any mount sends, and less than what would
/// keep others from being served.
public struct RateLimits: Sendable {
    public var userPerSecond = 5_000
    public var userBurst = 500_000
    public var addressPerSecond = 10_000
    public var addressBurst = 1_000_000

    public static let unlimited = RateLimits(perSecond: 0)

    public init() {}

    private init(perSecond: Int) { (userPerSecond, addressPerSecond) = (perSecond, perSecond) }

    static let options = [
        option("user-rate", 5_000, "Requests that one user may send a second in the long run; 0 is any number."),
        option("user-burst", 500_000, "Requests that one user may send at once after a pause."),
        option(
            "address-rate",
            10_000,
            "Requests that may come from one address (of IPv6 one /64) a second in the long run; 0 is any number."
        ),
        option("address-burst", 1_000_000, "Requests that may come from one address at once after a pause."),
    ]

    private static func option(_ name: String, _ number: Int, _ help: String) -> Option {
        Option(name, .integer(0...1_000_000_000), default: "\(number)", help: help)
    }

    init(_ settings: Settings) throws(SettingsError) {
        userPerSecond = try settings.integer("user-rate", in: 0...1_000_000_000)
        userBurst = try settings.integer("user-burst", in: 0...1_000_000_000)
        addressPerSecond = try settings.integer("address-rate", in: 0...1_000_000_000)
        addressBurst = try settings.integer("address-burst", in: 0...1_000_000_000)
    }

    func users(_ time: TimeSource) -> RequestLimiter<UserID>? {
        RequestLimiter("this account", perSecond: userPerSecond, burst: userBurst, time: time)
    }

    func addresses(_ time: TimeSource) -> AddressLimit? {
        RequestLimiter("this address", perSecond: addressPerSecond, burst: addressBurst, time: time).map {
            AddressLimit(limiter: $0)
        }
    }
}

/// Stands before everything but what operators' machines ask.
struct AddressLimit: Middleware {
    let limiter: RequestLimiter<IPAddress>

    func respond(
        to request: HTTPRequest,
        next: (HTTPRequest) throws(APIError) -> HTTPResponse
    ) throws(APIError) -> HTTPResponse {
        try limiter.take(request.client.address.site)
        return try next(request)
    }
}
