import DaleksAPI
import DaleksClient
import DaleksCore
import DaleksHTTP
import DaleksHTTPClient
import DaleksSystem
import Glibc

/// The way to the two services: name, connection, clock, log-in.
struct LineChecks {
    let store: CredentialStore
    let control: ControlClient

    func run() -> [Finding] {
        let credentials: Credentials
        do throws(CredentialStore.Failure) {
            credentials = try store.load()
        } catch {
            switch error {
            case .absent:
                return [Finding(check: "login", level: .broken, text: "nobody is logged in", cure: "daleks login")]
            case .unreadable(let reason):
                return [Finding(check: "login", level: .broken, text: reason, cure: "daleks login")]
            }
        }
        var findings = [secrecy()]
        let http = Call.http(Trust(credentials))
        defer { http.shutdown() }
        let users = Service(check: "users", url: credentials.usersURL, http: http)
        let region = Service(check: "region", url: credentials.region.filesURL, http: http)
        let (usersFindings, usersAnswer) = users.look()
        let (regionFindings, regionAnswer) = region.look()
        findings += usersFindings + regionFindings
        if let answer = regionAnswer ?? usersAnswer { findings.append(clock(answer)) }
        if regionAnswer != nil { findings.append(token(credentials, http)) }
        return findings + daemon()
    }

    private func secrecy() -> Finding {
        var status = stat()
        if stat(store.path, &status) == 0, status.st_mode & 0o077 != 0 {
            return Finding(
                check: "login",
                level: .warning,
                text: "others can read \(store.path), and with it be you",
                cure: "chmod 600 '\(store.path)'"
            )
        }
        return .fine("login", store.path)
    }

    private func clock(_ answer: Service.Answer) -> Finding {
        guard let date = answer.date else { return Finding(check: "clock", level: .note, text: "nobody told the time") }
        let seconds = abs((answer.received - date).nanoseconds) / 1_000_000_000
        guard seconds > 5 else { return .fine("clock", "as the services have it") }
        let way = answer.received > date ? "fast" : "slow"
        return Finding(
            check: "clock",
            // A token lives for ten minutes; certificates, and what is new to make, are less patient.
            level: seconds > 60 ? .broken : .warning,
            text: "this machine is \(Shown.duration(seconds: seconds)) \(way)",
            cure: "sudo timedatectl set-ntp true"
        )
    }

    private func token(_ credentials: Credentials, _ http: HTTPClient) -> Finding {
        let users = UsersClient(url: credentials.usersURL, http: http)
        let tokens = AccessTokens(credentials, store: store, users: users, logger: .silent)
        do throws(ClientFailure) {
            let usage = try FilesClient(url: credentials.region.filesURL, http: http, tokens: tokens).usage()
            let shown = "\(Shown.bytes(usage.bytesUsed)) of \(Shown.bytes(usage.bytesQuota)) in use"
            if usage.bytesQuota > 0, usage.bytesUsed > usage.bytesQuota / 20 * 19 {
                return Finding(check: "quota", level: .warning, text: shown, cure: "daleks rm PATH...")
            }
            return .fine("token", "\(credentials.user.email) is let in; \(shown)")
        } catch {
            if case .loggedOut(let reason) = error {
                return Finding(
                    check: "token",
                    level: .broken,
                    text: "the log-in has ended: \(reason)",
                    cure: "daleks login"
                )
            }
            return Finding(check: "token", level: .broken, text: "\(error)", cure: "daleks login")
        }
    }

    private func daemon() -> [Finding] {
        do throws(ControlClient.Failure) {
            let answer = try control.ask(ControlRequest(.status))
            if answer.isLoggedOut {
                return [Finding(check: "daemon", level: .broken, text: "its log-in has ended", cure: "daleks login")]
            }
            if answer.isPaused {
                return [Finding(check: "daemon", level: .note, text: "it is paused", cure: "daleks resume")]
            }
            if !answer.isConnected, let failure = answer.lastFailure {
                return [Finding(check: "daemon", level: .warning, text: failure, cure: "daleks status")]
            }
            return [.fine("daemon", "\(answer.mountPoint), \(answer.pendingCount) changes to send")]
        } catch {
            switch error {
            case .notRunning: return []
            case .broken(let reason):
                return [Finding(check: "daemon", level: .broken, text: reason, cure: "daleks umount && daleks mount")]
            }
        }
    }
}

/// One service, looked at from the outside.
private struct Service {
    struct Answer {
        var date: Timestamp?
        var received: Timestamp
    }

    let check: String
    let url: String
    let http: HTTPClient

    func look() -> ([Finding], Answer?) {
        if let host, let failure = resolve(host) {
            return (
                [
                    Finding(
                        check: "dns",
                        level: .broken,
                        text: "\(host) has no address: \(failure)",
                        cure: "getent hosts \(host)   (and look at /etc/resolv.conf)"
                    )
                ], nil
            )
        }
        do throws(HTTPClientError) {
            let request = ClientRequest(.get, url + "/livez", deadline: .seconds(5))
            let response = try http.send(request)
            let answer = Answer(
                date: response.fields["Date"].flatMap { HTTPDate.parse($0) },
                received: TimeSource.system.wall
            )
            guard response.status.isSuccess else {
                return ([broken("\(url) answers \(response.status): it is not well", "curl -i \(url)/readyz")], answer)
            }
            return ([.fine(check, "\(url) answers")], answer)
        } catch {
            switch error {
            case .tls(let detail):
                let cure =
                    "sudo apt install ca-certificates   (or daleks login --ca-file FILE, for a private authority)"
                return (
                    [Finding(check: "tls", level: .broken, text: "\(url) is not trusted: \(detail)", cure: cure)], nil
                )
            case .unprotected:
                return ([broken("\(url) has no TLS: nothing is sent there", "daleks login --users https://...")], nil)
            default: return ([broken("\(url) cannot be reached: \(error)", "curl -i \(url)/livez")], nil)
            }
        }
    }

    private func broken(_ text: String, _ cure: String) -> Finding {
        Finding(check: check, level: .broken, text: text, cure: cure)
    }

    /// Without brackets and port.
    private var host: String? {
        guard let scheme = url.firstRange(of: "://") else { return nil }
        let authority = url[scheme.upperBound...].prefix { $0 != "/" }
        if authority.hasPrefix("[") { return String(authority.dropFirst().prefix { $0 != "]" }) }
        return String(authority.prefix { $0 != ":" })
    }

    private func resolve(_ host: String) -> String? {
        var list: UnsafeMutablePointer<addrinfo>?
        let code = getaddrinfo(host, nil, nil, &list)
        if let list { freeaddrinfo(list) }
        return code == 0 ? nil : gai_strerror(code).map { String(cString: $0) } ?? "unknown"
    }
}
