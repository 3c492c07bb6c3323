import DaleksCore

/// Whose leases they are: a device, of the user who says so with a token. Devices name themselves, so one alone would
/// be anybody's.
struct LeaseHolder: Hashable, Sendable, LosslessStringConvertible {
    let user: UserID
    let device: DeviceID

    init(user: UserID, device: DeviceID) {
        self.user = user
        self.device = device
    }

    /// As processes tell each other: `USER:DEVICE`.
    init?(_ text: String) {
        let words = text.split(separator: ":")
        guard words.count == 2, let user = UserID(words[0]), let device = DeviceID(words[1]) else { return nil }
        self.init(user: user, device: device)
    }

    var description: String { "\(user):\(device)" }
}
