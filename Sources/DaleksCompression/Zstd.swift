import CZstd
import DaleksCore

/// Chunks made smaller, where that pays.
///
/// ## Concurrency
/// Any number of threads; each call has a context of its own from a pool.
public enum Zstd {
    private static let compressors = ContextPool { CompressionContext() }
    private static let decompressors = ContextPool { DecompressionContext() }

    /// One frame that names its size, or nil where it would not be smaller by a sixteenth at least: keeping such
    /// content as it is saves every reader the work.
    public static func compress(_ content: UnsafeRawBufferPointer, level: Int32 = 3) -> [UInt8]? {
        precondition(Limits.Compression.levels.contains(level), "not a level of compression that is used here")
        precondition(content.count <= Limits.Compression.contentBytesMax, "larger things are cut up before")
        guard content.count >= Limits.Compression.contentBytesMin else { return nil }
        return compressors.withContext { context in
            if content.count >= Limits.Compression.probedBytesMin, !isWorthTrying(content, context) { return nil }
            return frame(content, context, level: level, bytesMax: content.count - (content.count + 15) / 16)
        }
    }

    public static func compress(_ content: [UInt8], level: Int32 = 3) -> [UInt8]? {
        content.withUnsafeBytes { compress($0, level: level) }
    }

    /// The content of one frame that must say it holds exactly `exactCount` bytes. No more than that is ever
    /// allocated, and nothing before the frame has said so.
    public static func decompress(
        _ frame: UnsafeRawBufferPointer,
        exactCount: Int
    ) throws(CompressionError) -> [UInt8] {
        try check(frame, exactCount: exactCount)
        var failure: CompressionError?
        let content = [UInt8](unsafeUninitializedCapacity: exactCount) { buffer, count in
            do throws(CompressionError) {
                try decompressChecked(frame, into: UnsafeMutableRawBufferPointer(buffer))
                count = exactCount
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
        return content
    }

    public static func decompress(_ frame: [UInt8], exactCount: Int) throws(CompressionError) -> [UInt8] {
        try frame.span.bytes.withUnsafeBytes { bytes throws(CompressionError) in
            try decompress(bytes, exactCount: exactCount)
        }
    }

    /// Fills `destination`, whose count is the exact size that the frame must have.
    public static func decompress(
        _ frame: UnsafeRawBufferPointer,
        into destination: UnsafeMutableRawBufferPointer
    ) throws(CompressionError) {
        try check(frame, exactCount: destination.count)
        try decompressChecked(frame, into: destination)
    }

    // MARK: -

    private static func frame(
        _ content: UnsafeRawBufferPointer,
        _ context: CompressionContext,
        level: Int32,
        bytesMax: Int
    ) -> [UInt8]? {
        var fits = false
        let frame = [UInt8](unsafeUninitializedCapacity: bytesMax) { buffer, count in
            // Running out of room is how the library says that it would not pay.
            let written = ZSTD_compressCCtx(
                context.raw,
                buffer.baseAddress,
                bytesMax,
                content.baseAddress,
                content.count,
                level
            )
            fits = ZSTD_isError(written) == 0
            count = fits ? written : 0
        }
        return fits ? frame : nil
    }

    /// Pieces from all over at the quickest level. What is compressed or encrypted already shows no gain there; a
    /// sixty-fourth is enough for a try of the whole.
    private static func isWorthTrying(_ content: UnsafeRawBufferPointer, _ context: CompressionContext) -> Bool {
        let pieceBytes = Limits.Compression.probePieceBytes
        let sampleBytes = pieceBytes * Limits.Compression.probePieces
        let stride = (content.count - pieceBytes) / (Limits.Compression.probePieces - 1)
        return withUnsafeTemporaryAllocation(byteCount: sampleBytes, alignment: 16) { sample in
            for piece in 0..<Limits.Compression.probePieces {
                let source = content[(piece * stride)..<(piece * stride + pieceBytes)]
                sample[(piece * pieceBytes)..<((piece + 1) * pieceBytes)].copyBytes(from: source)
            }
            let probe = UnsafeRawBufferPointer(sample)
            return frame(probe, context, level: 1, bytesMax: sampleBytes - sampleBytes / 64) != nil
        }
    }

    private static func check(_ frame: UnsafeRawBufferPointer, exactCount: Int) throws(CompressionError) {
        guard exactCount <= Limits.Compression.contentBytesMax else { throw .tooLarge }
        let claimed = ZSTD_getFrameContentSize(frame.baseAddress, frame.count)
        // The two highest values mean "not a frame" and "does not say"; imported macros cannot name them.
        guard claimed != UInt64.max - 1 else { throw .corrupt }
        guard exactCount >= 0, claimed == UInt64(exactCount) else { throw .otherSize }
        // One frame and nothing else: whatever followed would be bytes that nobody checked.
        let frameBytes = ZSTD_findFrameCompressedSize(frame.baseAddress, frame.count)
        guard ZSTD_isError(frameBytes) == 0, frameBytes == frame.count, !isSkippable(frame) else { throw .corrupt }
    }

    /// Frames that carry no content but remarks claim to hold nothing.
    private static func isSkippable(_ frame: UnsafeRawBufferPointer) -> Bool {
        frame.count < 4 || frame.loadUnaligned(as: UInt32.self).littleEndian != 0xfd2f_b528
    }

    private static func decompressChecked(
        _ frame: UnsafeRawBufferPointer,
        into destination: UnsafeMutableRawBufferPointer
    ) throws(CompressionError) {
        let written = decompressors.withContext { context in
            ZSTD_decompressDCtx(context.raw, destination.baseAddress, destination.count, frame.baseAddress, frame.count)
        }
        guard ZSTD_isError(written) == 0 else {
            guard ZSTD_getErrorCode(written) == ZSTD_error_memory_allocation else { throw .corrupt }
            throw .failed(String(cString: ZSTD_getErrorName(written)))
        }
        guard written == destination.count else { throw .otherSize }
    }
}
