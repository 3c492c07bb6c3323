import DaleksAPI
import DaleksCore

/// A device has done what it did itself before it told the region: it needs no records of that, only which revisions
/// its nodes have since, and that once for a run of steps.
extension Change {
    static func inShort(_ changes: [Change], for device: DeviceID) -> [Change] {
        var told: [Change] = []
        told.reserveCapacity(changes.count)
        var run: Run?
        for change in changes {
            // What else it brings the device cannot know.
            if change.device == device, change.shares.isEmpty {
                if run == nil { run = Run() }
                run?.take(change)
            } else {
                if let ended = run { told.append(ended.told) }
                run = nil
                told.append(change)
            }
        }
        if let run { told.append(run.told) }
        return told
    }

    private struct Run {
        var told = Change(sequence: 0, device: nil, operation: nil, nodes: [], entries: [])
        private var places: [NodeID: Int] = [:]

        mutating func take(_ change: Change) {
            (told.sequence, told.device, told.operation) = (change.sequence, change.device, change.operation)
            for node in change.nodes {
                if let place = places[node.id] {
                    told.touched[place].revision = node.revision
                } else {
                    places[node.id] = told.touched.count
                    told.touched.append(Touch(node: node.id, revision: node.revision))
                }
            }
        }
    }
}
