import DaleksAPI
import DaleksJSON

/// Bodies that services, daemons and command lines send each other.
extension Subject {
    static let contract: [Subject] = [
        Subject(name: "batch") { bytes in
            survives(MutationBatch.self, bytes)
            survives(BatchAnswer.self, bytes)
        },
        Subject(name: "changes") { bytes in
            survives(ChangesPage.self, bytes)
            survives(FollowRequest.self, bytes)
            survives(FollowAnswer.self, bytes)
            survives(RevocationPage.self, bytes)
            survives(ChildrenPage.self, bytes)
        },
        Subject(name: "manifest") { bytes in
            survives(Manifest.self, bytes)
            survives(ContentReads.self, bytes)
            survives(DigestList.self, bytes)
            survives(MissingAnswer.self, bytes)
        },
        Subject(name: "control") { bytes in
            survives(ControlRequest.self, bytes)
            survives(ControlAnswer.self, bytes)
            survives(ControlDisputes.self, bytes)
        },
        Subject(name: "sharing") { bytes in
            survives(GrantRequest.self, bytes)
            survives(LinkRequest.self, bytes)
            survives(NodeChange.self, bytes)
            survives(ChildRequest.self, bytes)
            survives(PathRequest.self, bytes)
            survives(LoginRequest.self, bytes)
            survives(RegistrationRequest.self, bytes)
            survives(SigningRequest.self, bytes)
        },
    ]

    /// What was read is the same once it was written and read again.
    private static func survives<Body: JSONEncodable & JSONDecodable & Equatable>(_ type: Body.Type, _ bytes: [UInt8]) {
        guard let value = try? JSONValue.parse(bytes), let body = try? Body(json: value) else { return }
        let again = try? Body(json: JSONValue.parse(body.jsonBytes))
        require(again == body, "\(type) changes when it is written and read")
    }
}
