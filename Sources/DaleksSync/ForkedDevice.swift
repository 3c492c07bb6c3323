import DaleksAPI
import DaleksCache
import DaleksCore
import DaleksSQLite
import DaleksSystem

/// Another machine works with our device id: this folder is a copy, was copied, or came back from a backup.
enum ForkedDevice {
    /// Counts anew under another id, and lists everything again. Bytes and journal stay.
    static func countAnew(at now: Timestamp, _ db: borrowing Connection) throws {
        try MetaTable.set(.device, "\(DeviceID.random(at: now))", in: db)
        try MetaTable.set(.sequence, 0, in: db)
        try MetaTable.set(.acknowledged, 0, in: db)
        try db.execute("UPDATE journal SET sequence = NULL")
        try NodeTable.distrustAll(in: db)
    }

    /// Whether the feed tells of an operation of ours that was never numbered here. Numbers are written down before
    /// anything is sent under them, so it was another machine's; and what a device of that name does must not be
    /// skipped as if it were done here.
    static func isTold(by changes: [Change], _ device: DeviceID, lastSequence: Int64) -> Bool {
        changes.contains { change in
            change.device == device && change.operation.map { $0 > lastSequence } ?? false
        }
    }
}
