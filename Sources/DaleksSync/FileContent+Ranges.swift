import DaleksCore
import DaleksSystem
import Glibc

/// Ranges of a file: set aside, cleared, looked for and copied.
extension FileContent {
    /// Sets space aside on this machine, so that a write there does not run out of it. Unless the size is kept, the
    /// file reaches at least to the end of the range; what is new reads as zeros. Times move as on a local disk.
    public func allocate(_ range: Range<Int64>, keepsSize: Bool) throws(Obstacle) {
        if keepsSize || range.upperBound <= live.size {
            let nothing = range.lowerBound..<range.lowerBound
            try change({ _ throws(Obstacle) in Change(range: nothing, keepsSize: true) }) { _ in
                Self.all(of: nothing) { () throws(Errno) in try backing.allocate(range) }
            }
            return
        }
        // Nothing is written, but the span that the old end cut gets longer.
        try change({ state throws(Obstacle) in
            let from = max(range.lowerBound, state.size)
            return Change(range: max(from, range.upperBound)..<max(from, range.upperBound))
        }) { changed in
            Self.all(of: changed) { () throws(Errno) in
                try backing.allocate(range)
                try backing.extend(to: range.upperBound)
            }
        }
    }

    /// Makes the range zeros and gives its space back; the size stays.
    public func punch(_ range: Range<Int64>) throws(Obstacle) {
        try change({ state throws(Obstacle) in
            let end = max(range.lowerBound, min(range.upperBound, Self.lastByteOfSpan(state.size)))
            return Change(range: range.lowerBound..<end, keepsSize: true)
        }) { range in
            Self.all(of: range) { () throws(Errno) in try backing.punchHole(range) }
        }
    }

    /// Makes the range zeros. Unless the size is kept, the file reaches at least to its end.
    public func zero(_ range: Range<Int64>, keepsSize: Bool) throws(Obstacle) {
        if keepsSize { return try punch(range) }
        try change({ _ throws(Obstacle) in Change(range: range) }) { range in
            Self.all(of: range) { () throws(Errno) in
                try backing.punchHole(range)
                try backing.extend(to: range.upperBound)
            }
        }
    }

    /// What happens to the whole range or not at all.
    private static func all(of range: Range<Int64>, _ body: () throws(Errno) -> Void) -> Progress {
        do throws(Errno) {
            try body()
            return Progress(bytes: Int64(range.count), failure: nil)
        } catch {
            return Progress(bytes: 0, failure: error)
        }
    }

    /// Zeros behind the end need no span of their own.
    private static func lastByteOfSpan(_ size: Int64) -> Int64 {
        Int64(spanCount(of: size)) * Int64(Limits.spanBytes)
    }

    // MARK: Holes

    /// Where data begins at or after an offset, or nil where only a hole follows up to the end. What is at the region
    /// only counts as data.
    public func nextData(from offset: Int64) throws(Obstacle) -> Int64? {
        try inside { () throws(Errno) in
            let (size, lacking) = extent
            guard offset < size else { throw .noSuchDevice }
            var position = offset
            while position < size {
                let span = Int(position / Int64(Limits.spanBytes))
                if lacking(span) { return position }
                let end = min(size, Int64(span + 1) * Int64(Limits.spanBytes))
                if let data = try backing.nextData(from: position), data < end { return data }
                position = end
            }
            return nil
        }
    }

    /// Where a hole begins at or after an offset; the end of the file is one.
    public func nextHole(from offset: Int64) throws(Obstacle) -> Int64 {
        try inside { () throws(Errno) in
            let (size, lacking) = extent
            guard offset < size else { throw .noSuchDevice }
            var position = offset
            while position < size {
                let span = Int(position / Int64(Limits.spanBytes))
                let end = min(size, Int64(span + 1) * Int64(Limits.spanBytes))
                if !lacking(span) {
                    let hole = try backing.nextHole(from: position) ?? size
                    if hole < end { return hole }
                }
                position = end
            }
            return size
        }
    }

    /// The size, and which spans lack their bytes, as they are now.
    private var extent: (size: Int64, lacking: (Int) -> Bool) {
        let state = state.withLock { $0 }
        return (state.size, { Self.isLacking($0, state) })
    }

    // MARK: Copying

    /// Copies bytes of this file into another, or to another place of this one, inside the kernel, and says how many:
    /// fewer where the source ends. Whole spans that the region has already are not sent again: the upload names them
    /// by what they hash to.
    public func copy(
        _ range: Range<Int64>,
        to target: FileContent,
        at offset: Int64
    ) throws(Obstacle) -> Int64 {
        guard range.lowerBound >= 0, offset >= 0 else { throw .errno(.invalid) }
        guard offset <= Limits.fileBytesMax - Int64(range.count) else { throw .errno(.fileTooLarge) }
        let end = min(range.upperBound, live.size)
        guard range.lowerBound < end else { return 0 }
        try requireReadable(at: range.lowerBound, count: Int(end - range.lowerBound))
        // Nobody is kept in the source while waiting to get into the target: whoever holds that one may want this one.
        // Bytes of an older content are copied then, as if the copy had come a little earlier.
        let count = end - range.lowerBound
        let copied = try target.change({ _ throws(Obstacle) in Change(range: offset..<offset + count) }) { place in
            let (done, failure) = backing.copySome(range.lowerBound..<end, to: target.backing, at: place.lowerBound)
            if let failure { return Progress(bytes: done, failure: failure) }
            // A hole at the end of the source is not copied by every file system.
            return Self.all(of: place) { () throws(Errno) in
                if done < count { try target.backing.extend(to: place.upperBound) }
            }
        }
        return Int64(copied)
    }

    /// Runs a system call that changes no byte, as a reader does.
    private func inside<Result>(_ body: () throws(Errno) -> Result) throws(Obstacle) -> Result {
        try enter { _ throws(Obstacle) in }
        defer { leave() }
        do throws(Errno) { return try body() } catch { throw .errno(error) }
    }
}

extension FileDescriptor {
    /// Makes the file at least so long; what is new is a hole.
    borrowing func extend(to size: Int64) throws(Errno) {
        if try Int64(status().st_size) < size { try truncate(to: size) }
    }
}
