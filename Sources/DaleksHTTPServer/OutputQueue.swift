/// What of an answer was made and is not sent: first in, first out.
struct OutputQueue {
    enum Piece {
        case bytes(ArraySlice<UInt8>)
        /// From there on.
        case ready(any ReadyContent, Int)
    }

    private var pieces: [Piece] = []
    /// Where the first one is.
    private var head = 0
    /// What is held in memory.
    private(set) var byteCount = 0
    private(set) var readyCount = 0

    var isEmpty: Bool { head == pieces.count }
    var first: Piece? { head < pieces.count ? pieces[head] : nil }

    mutating func append(_ bytes: some Collection<UInt8>) {
        let added = ArraySlice(bytes)
        guard !added.isEmpty else { return }
        byteCount += added.count
        // Small ones become one: a feed has many.
        if case .bytes(var last)? = pieces.last, head < pieces.count, last.count + added.count <= 16 << 10 {
            pieces.removeLast()
            last.append(contentsOf: added)
            pieces.append(.bytes(last))
        } else {
            pieces.append(.bytes(added))
        }
    }

    mutating func append(_ content: any ReadyContent) {
        guard content.count > 0 else { return }
        readyCount += 1
        pieces.append(.ready(content, 0))
    }

    /// So many bytes of the first piece were taken.
    mutating func advance(by count: Int) {
        switch first {
        case .bytes(let bytes)?:
            byteCount -= count
            if count == bytes.count { removeFirst() } else { pieces[head] = .bytes(bytes.dropFirst(count)) }
        case .ready(let content, let start)?:
            if start + count < content.count {
                pieces[head] = .ready(content, start + count)
            } else {
                readyCount -= 1
                removeFirst()
            }
        case nil: break
        }
    }

    /// The first piece was not ready after all: these are its bytes.
    mutating func replaceFirst(by bytes: [UInt8]) {
        guard case .ready? = first else { return }
        readyCount -= 1
        byteCount += bytes.count
        pieces[head] = .bytes(bytes[...])
    }

    mutating func removeAll() { self = OutputQueue() }

    private mutating func removeFirst() {
        pieces[head] = .bytes([])
        head += 1
        if head == pieces.count {
            pieces.removeAll(keepingCapacity: head <= 64)
            head = 0
        } else if head >= 64 {
            pieces.removeFirst(head)
            head = 0
        }
    }
}
