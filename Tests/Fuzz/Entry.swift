import Glibc

/// What libFuzzer calls. It brings the `main` of this program; see `Tests/Fuzz/run`.
///
/// Which parser is tried, the environment says: libFuzzer keeps the arguments to itself.
private let subject: Subject = {
    let name = getenv("DALEKS_FUZZ_SUBJECT").map { String(cString: $0) } ?? ""
    guard let subject = Subject.all.first(where: { $0.name == name }) else {
        let names = Subject.all.map(\.name).joined(separator: " ")
        Subject.complain("DALEKS_FUZZ_SUBJECT must be one of: \(names)")
        exit(2)
    }
    return subject
}()

@_cdecl("LLVMFuzzerInitialize")
public func initialize(
    _ count: UnsafeMutablePointer<Int32>?,
    _ words: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?>?
) -> Int32 {
    _ = subject
    return 0
}

@_cdecl("LLVMFuzzerTestOneInput")
public func tryOne(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
    subject.attempt(Array(UnsafeBufferPointer(start: bytes, count: count)))
    return 0
}
