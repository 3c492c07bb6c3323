/// Finds what somebody probably meant.
public enum Spelling {
    /// The known word with the fewest wrong, missing, added or swapped letters, when those are few enough to be a slip.
    public static func closest(to word: String, among known: [String]) -> String? {
        let distances = known.map { (word: $0, distance: distance(Array(word.utf8), Array($0.utf8))) }
        guard let best = distances.min(by: { $0.distance < $1.distance }) else { return nil }
        if best.distance <= max(2, word.utf8.count / 4) { return best.word }
        // A word cut short, where only one begins so.
        let continued = known.filter { $0.hasPrefix(word) }
        return continued.count == 1 ? continued[0] : nil
    }

    /// Edits between two words, a swap of neighbours counting once. Both are short: longer than 64 bytes is far away.
    private static func distance(_ left: [UInt8], _ right: [UInt8]) -> Int {
        guard left.count <= 64, right.count <= 64 else { return .max }
        var beforeLast: [Int] = []
        var last = Array(0...right.count)
        for (row, leftByte) in left.enumerated() {
            var current = [row + 1]
            for (column, rightByte) in right.enumerated() {
                let replaced = last[column] + (leftByte == rightByte ? 0 : 1)
                var best = min(replaced, last[column + 1] + 1, current[column] + 1)
                if row > 0, column > 0, leftByte == right[column - 1], left[row - 1] == rightByte {
                    best = min(best, beforeLast[column - 1] + 1)
                }
                current.append(best)
            }
            (beforeLast, last) = (last, current)
        }
        return last[right.count]
    }
}
