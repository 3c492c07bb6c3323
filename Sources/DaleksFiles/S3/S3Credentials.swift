import DaleksSystem
import Glibc

/// Who signs. Temporary ones come with a session token.
struct S3Credentials: Hashable, Sendable {
    let accessKey: String
    let secretKey: String
    let sessionToken: String?

    /// Where they come from. A file is read again when it changed, so that an agent may renew temporary credentials.
    enum Source: Sendable {
        case fixed(S3Credentials)
        case file(String)
    }

    /// `access_key = …`, `secret_key = …` and, for temporary ones, `session_token = …`; `#` begins a remark.
    init?(file text: String) {
        var values: [String: String] = [:]
        for line in text.split(whereSeparator: \.isNewline) where !line.hasPrefix("#") {
            guard let equals = line.firstIndex(of: "=") else { continue }
            let trimmed = { (side: Substring) in
                String(side.drop { $0 == " " }.reversed().drop { $0 == " " || $0 == "\r" }.reversed())
            }
            values[trimmed(line[..<equals])] = trimmed(line[line.index(after: equals)...])
        }
        guard let accessKey = values["access_key"], let secretKey = values["secret_key"] else { return nil }
        self.init(accessKey: accessKey, secretKey: secretKey, sessionToken: values["session_token"])
    }

    init(accessKey: String, secretKey: String, sessionToken: String?) {
        self.accessKey = accessKey
        self.secretKey = secretKey
        self.sessionToken = sessionToken
    }
}

extension S3Credentials: CustomStringConvertible {
    /// The secret must not reach a log by way of an interpolation.
    var description: String { "credentials of \(accessKey.prefix(4))…" }
}

/// The present credentials of a source.
///
/// ## Concurrency
/// `state` is guarded by itself; the file is read with it held, which a change of credentials may cost once.
final class S3CredentialKeeper: Sendable {
    private struct State {
        var credentials: S3Credentials?
        var modified: Int64 = 0
    }

    private let source: S3Credentials.Source
    private let state = Lock(State())

    init(_ source: S3Credentials.Source) { self.source = source }

    /// Nil where the file holds none.
    func credentials() -> S3Credentials? {
        switch source {
        case .fixed(let credentials): return credentials
        case .file(let path):
            let modified = (try? FileDescriptor.open(path, O_RDONLY).status().st_mtim.tv_sec).map { Int64($0) } ?? 0
            return state.withLock { state in
                if modified != state.modified || state.credentials == nil,
                    let bytes = try? Files.readAll(path, max: 64 << 10),
                    let read = S3Credentials(file: String(decoding: bytes, as: UTF8.self))
                {
                    state = State(credentials: read, modified: modified)
                }
                return state.credentials
            }
        }
    }
}
