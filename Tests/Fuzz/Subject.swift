import Glibc

/// One parser that strangers' bytes reach, and what must hold of whatever it makes of them.
///
/// A crash is found by itself. What a subject adds is that an answer is right: that it survives being written and read
/// again, lies inside its bounds, or is the same however the bytes came in pieces.
struct Subject: Sendable {
    let name: String
    let attempt: @Sendable ([UInt8]) -> Void

    static let all: [Subject] = texts + contract + records + recovery + [planted]

    /// Ends the program, as libFuzzer wants it, with the sentence that says what did not hold.
    static func require(_ condition: Bool, _ sentence: @autoclosure () -> String) {
        if condition { return }
        complain(sentence())
        abort()
    }

    static func complain(_ sentence: String) {
        let line = Array("daleks-fuzz: \(sentence)\n".utf8)
        _ = line.withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }

    /// Proves that the job can fail: it must find the one word that breaks this, a letter at a time.
    private static let planted = Subject(name: "planted") { bytes in
        var matched = 0
        for letter in "EXTERMINATE".utf8 {
            guard matched < bytes.count, bytes[matched] == letter else { return }
            matched += 1
        }
        require(false, "the planted fault was found")
    }
}
