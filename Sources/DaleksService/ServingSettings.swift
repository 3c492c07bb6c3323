import DaleksCore
public import DaleksHTTPServer
public import DaleksSystem

/// What every service is told: where it listens, how, and what it says about it.
public struct ServingSettings: Sendable {
    public var address = "127.0.0.1"
    /// Zero takes any that is free.
    public var port: UInt16 = 0
    public var stateFolder: String
    public var tlsCertificate: String?
    public var tlsKey: String?
    public var trustedProxies: [String] = []
    public var drainTimeout = Duration.seconds(10)
    public var accessLog = AccessLog.Extent.off
    public var logLevel = Logger.Level.notice

    public init(stateFolder: String) { self.stateFolder = stateFolder }

    /// The options that `init(_:)` reads, in three groups between which a service puts its own.
    public static func options(port: Int, stateFolder: String, holding contents: String) -> [Option] {
        [
            Option(
                "listen",
                .text(placeholder: "ADDRESS"),
                default: "127.0.0.1",
                help: "The IPv4 or IPv6 address to serve at; 0.0.0.0 and :: are all of them."
            ),
            Option("port", .integer(0...65_535), default: "\(port)", help: "The port; 0 takes any that is free."),
            Option(
                "state",
                .text(placeholder: "DIR"),
                default: stateFolder,
                help: "The folder for \(contents). Only one process uses it at a time."
            ),
        ] + transport + conduct
    }

    private static let transport = [
        Option(
            "tls-certificate",
            .text(placeholder: "FILE"),
            help: "The certificate chain (PEM); SIGHUP reads it again."
        ),
        Option("tls-key", .text(placeholder: "FILE"), help: "The private key of the certificate (PEM)."),
        Option(
            "trusted-proxy",
            .text(placeholder: "CIDR"),
            help: "An address or network whose X-Forwarded headers are believed. May be given more than once.",
            repeats: true
        ),
    ]

    private static let conduct = [
        Option(
            "drain-timeout",
            .duration,
            default: "10s",
            help: "How long the program, told to end, waits for answers under way."
        ),
        Option(
            "access-log",
            .choice(AccessLog.Extent.allCases.map(\.rawValue)),
            default: AccessLog.Extent.all.rawValue,
            help: "Which requests get a line on standard error: all, those that failed in the service, or none."
        ),
        Option(
            "log-level",
            .choice(Logger.Level.allCases.map { "\($0)" }),
            default: "notice",
            help: "The least important events that are logged."
        ),
    ]

    public init(_ settings: Settings) throws(SettingsError) {
        address = settings.text("listen")
        port = UInt16(clamping: try settings.integer("port", in: 0...65_535))
        stateFolder = settings.text("state")
        tlsCertificate = settings.optionalText("tls-certificate")
        tlsKey = settings.optionalText("tls-key")
        trustedProxies = settings.texts("trusted-proxy")
        drainTimeout = try settings.duration("drain-timeout")
        accessLog = AccessLog.Extent(rawValue: settings.text("access-log")) ?? .all
        logLevel = Logger.Level(settings.text("log-level")) ?? .notice
        guard (tlsCertificate == nil) == (tlsKey == nil) else {
            throw settings.refusing("tls-key", "belongs together with --tls-certificate: give both or neither")
        }
        for proxy in trustedProxies where CIDR(proxy) == nil {
            throw settings.refusing("trusted-proxy", "is not an address or network such as 10.0.0.0/8")
        }
    }

    /// Listening at every address is no name by which anybody could be reached.
    public var isAnyAddress: Bool { ["0.0.0.0", "::", "[::]"].contains(address) }

    /// Takes the address: to be done before anything is changed, so that a second start finds nothing to spoil.
    public func listen() throws(ServiceFailure) -> ListeningSocket {
        do throws(HTTPServerError) {
            return try ListeningSocket(address: address, port: port)
        } catch {
            switch error {
            case .addressInUse: throw ServiceFailure("\(error) with --port")
            case .badAddress: throw ServiceFailure("--listen: \(error)")
            case .cannotListen, .tls, .cannotStart: throw ServiceFailure("\(error)")
            }
        }
    }

    /// How this machine reaches the service once its port is known.
    func url(port: UInt16) -> String {
        let scheme = tlsCertificate == nil ? "http" : "https"
        let host = address.contains(":") && !address.hasPrefix("[") ? "[\(address)]" : address
        return "\(scheme)://\(host):\(port)"
    }

    var configuration: HTTPServerConfiguration {
        var configuration = HTTPServerConfiguration(address: address, port: port)
        // Most of a worker's time is waiting for barriers, which those who wait together share.
        configuration.workers = 32
        if let tlsCertificate, let tlsKey {
            configuration.tls = TLSFiles(certificateChain: tlsCertificate, privateKey: tlsKey)
        }
        configuration.trustedProxies = trustedProxies.compactMap { CIDR($0) }
        return configuration
    }
}
