import DaleksCore
import DaleksSystem
import DaleksTestSupport
import Glibc
import Testing

@Suite struct LoggerTests {
    private let lines = Lock<[String]>([])

    private func logger(_ level: Logger.Level, _ style: Logger.Style) -> Logger {
        Logger(level: level, style: style, time: ManualClock().source) { [lines] line in
            lines.withLock { $0.append(line) }
        }
    }

    private var written: [String] { lines.withLock { $0 } }

    @Test func `text is for people`() {
        let log = logger(.debug, .text).with(["request": "r1"])
        log.notice("retried", ["attempt": 2, "name": "two words", "empty": "", "quote": "a\"b"])
        #expect(
            written == [
                #"2027-01-15T08:00:00.000Z notice retried request=r1 attempt=2 name="two words" empty="" quote="a\"b""#
            ]
        )
    }

    @Test func `JSON is one object a line`() {
        logger(.debug, .json).with(["service": "files"]).error("it \"failed\"", ["code": 7, "path": "a\\b\n\u{1b}"])
        #expect(
            written == [
                #"{"time":"2027-01-15T08:00:00.000Z","level":"error","message":"it \"failed\"","service":"files","#
                    + #""code":"7","path":"a\\b\n\u001b"}"#
            ]
        )
    }

    @Test func `a text from outside can forge no line and drive no terminal`() {
        for style in [Logger.Style.text, .json] {
            let log = logger(.info, style)
            for hostile in ["a\n2027-01-15T08:00:00.000Z error forged", "\u{1b}[2J", "\u{9b}2J", "\u{7f}", "\r", "\0"] {
                log.info("event", ["value": hostile])
            }
        }
        for line in written {
            #expect(line.unicodeScalars.allSatisfy { $0.value >= 32 && !(127..<160).contains($0.value) })
        }
    }

    @Test func `a line has a bound`() {
        logger(.info, .json).info("event", ["value": String(repeating: "é", count: 1_000_000)])
        #expect(written[0].utf8.count < Limits.Log.valueBytesMax + 200)
        #expect(written[0].contains("1995904 more bytes"))
    }

    @Test func `what is below the level is neither written nor computed`() {
        let log = logger(.notice, .text)
        let computed = Lock(0)
        func costly() -> Int {
            computed.withLock { $0 += 1 }
            return 1
        }
        log.debug("no", ["a": costly()])
        log.info("no", ["a": costly()])
        #expect(computed.withLock { $0 } == 0 && written.isEmpty)
        log.notice("yes", ["a": costly()])
        log.warning("yes")
        log.error("yes")
        #expect(computed.withLock { $0 } == 1 && written.count == 3)
    }

    @Test func `levels are read by name`() {
        #expect(Logger.Level("warning") == .warning)
        #expect(Logger.Level("Warning") == nil && Logger.Level("") == nil)
        #expect(Logger.Level.debug < .info && Logger.Level.warning < .error)
    }

    @Test func `standard error gets whole lines from many threads, and none from the silent`() async throws {
        let result = await #expect(processExitsWith: .exitCode(0), observing: [\.standardErrorContent]) {
            Logger.silent.error("nobody hears this")
            let threads = (0..<4).map { number in
                Thread(name: "log-\(number)") {
                    let log = Logger.standard(level: .info, style: .json)
                    for _ in 0..<50 { log.info("event", ["text": String(repeating: "x", count: 200)]) }
                }
            }
            for thread in threads { thread.join() }
            exit(0)
        }
        let lines = String(decoding: try #require(result).standardErrorContent, as: UTF8.self).split(separator: "\n")
        let ours = lines.filter { $0.hasPrefix("{\"time\":") && $0.hasSuffix("x\"}") }
        #expect(ours.count == 200)
        #expect(!lines.contains { $0.contains("nobody") })
    }
}
