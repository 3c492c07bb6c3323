import DaleksCore

/// When keys come and go. It does no work: it is told which keys there are and says what is to be done next.
public struct KeySchedule: Sendable {
    /// How long a key signs.
    public var period = Duration.seconds(86_400)
    /// How long a key is published before it signs, so that whoever keeps a copy of the key set knows it by then.
    public var announce = Duration.seconds(3_600)
    /// How long a key stays published after it signed last: longer than any token lives.
    public var retire = Duration.seconds(3_600)

    public init() {}

    enum Action: Hashable, Sendable {
        /// Make a key and publish it.
        case announce
        /// Let this one sign, and the one that did retire.
        case activate(String)
        case remove(String)
        case wait(until: Timestamp)
    }

    /// `records` are those of one process; `order` is when an administrator asked last for another key.
    func next(_ records: [KeyRecord], order: Timestamp? = nil, at now: Timestamp) -> Action {
        let retiring = records.filter { $0.stage == .retiring }
        if let old = retiring.first(where: { end(of: $0) <= now }) { return .remove(old.id) }
        let announced = records.filter { $0.stage == .announced }.min { $0.announced < $1.announced }
        guard let active = records.first(where: { $0.stage == .active }), let activated = active.activated else {
            // The first start, or the key's file is gone: nobody can wait for an announcement.
            return announced.map { .activate($0.id) } ?? .announce
        }
        // An order is followed by whichever key signs next.
        let isOrdered = order.map { $0 > activated && $0 <= now } ?? false
        let due = isOrdered ? activated : activated + period
        let nextRemoval = retiring.map { end(of: $0) }.min()
        guard let announced else {
            let time = due - announce
            return time <= now ? .announce : .wait(until: min(time, nextRemoval ?? time))
        }
        // After a long time off the old key signs on until the new one has been seen.
        let time = max(due, announced.announced + announce)
        return time <= now ? .activate(announced.id) : .wait(until: min(time, nextRemoval ?? time))
    }

    /// Whether the process that owns it must be gone for good: it would have retired or removed it long ago.
    func isAbandoned(_ record: KeyRecord, at now: Timestamp) -> Bool {
        let last = record.retired ?? record.activated.map { $0 + period + announce } ?? (record.announced + period)
        return last + period + announce + retire + Self.grace <= now
    }

    /// For clocks of machines that differ, and processes that were stopped for a while.
    private static let grace = Duration.seconds(600)

    private func end(of record: KeyRecord) -> Timestamp { (record.retired ?? record.announced) + retire }
}
