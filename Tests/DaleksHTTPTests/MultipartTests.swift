import DaleksCore
import DaleksHTTP
import Testing

/// Forms with files, cut anywhere.
struct MultipartTests {
    /// `name|filename|bytes` of each part.
    private func parts(_ body: [UInt8], piece: Int, boundary: String = "b") throws(APIError) -> [String] {
        var (parts, current): ([String], [UInt8]) = ([], [])
        guard var reader = MultipartReader(boundary: boundary) else { throw .malformed("no boundary") }
        var rest = body[...]
        while !rest.isEmpty {
            let bytes = Array(rest.prefix(piece))
            rest = rest.dropFirst(piece)
            var failure: APIError?
            bytes.withUnsafeBytes { buffer in
                do throws(APIError) {
                    try reader.read(buffer) { event throws(APIError) in
                        switch event {
                        case .began(let part):
                            current = part.name + [124] + (part.filename ?? [45]) + [124]
                        case .bytes(let bytes): current.append(contentsOf: bytes)
                        case .ended: parts.append(String(decoding: current, as: UTF8.self))
                        }
                    }
                } catch {
                    failure = error
                }
            }
            if let failure { throw failure }
        }
        try reader.finish()
        return parts
    }

    private static let body = Array(
        ("preamble\r\n--b\r\nContent-Disposition: form-data; name=\"a\"; filename=\"x.txt\"\r\nX: y\r\n\r\n"
            + "1\r\n-\r\n--\r\n\r\n--b \r\n"
            + "content-disposition:form-data;name=c\r\n\r\n\r\n--b--\r\nepilogue\r\n--b\r\n").utf8
    )

    @Test(arguments: [1, 2, 3, 7, 1_000]) func `parts are the same wherever the body is cut`(piece: Int) throws {
        #expect(try parts(Self.body, piece: piece) == ["a|x.txt|1\r\n-\r\n--\r\n", "c|-|"])
    }

    @Test func `names are bytes, with what browsers and others escape in them`() throws {
        func file(_ disposition: String) throws -> [String] {
            try parts(Array("--b\r\nContent-Disposition: \(disposition)\r\n\r\n\r\n--b--".utf8), piece: 9)
        }
        #expect(try file("form-data; name=\"f\"; filename=\"a%22b%0D%0Ac%41;.txt\"") == ["f|a\"b\r\nc%41;.txt|"])
        #expect(try file(#"form-data; filename="a\"b\c"; name="f"; other=1"#) == [#"f|a"b\c|"#])
        #expect(try file("FORM-DATA; name=ä; filename=\"\"") == ["ä||"])
        for wrong in ["form-data", "attachment; name=\"a\"", "form-data; name=\"a", "form-data; name=\"a\" b"] {
            #expect(throws: APIError.self) { try file(wrong) }
        }
    }

    @Test func `what is cut short, malformed or past a limit is refused`() {
        func code(_ text: String) -> APIError.Code? {
            do throws(APIError) {
                _ = try parts(Array(text.utf8), piece: 1_000)
                return nil
            } catch {
                return error.code
            }
        }
        let head = "--b\r\nContent-Disposition: form-data; name=a\r\n"
        #expect(code("") == .malformed)
        #expect(code(head + "\r\n1\r\n--b") == .malformed)
        #expect(code(head + "\r\n1\r\n--bc--") == .malformed)
        #expect(code("--b\r\nContent-Type: text/plain\r\n\r\n1\r\n--b--") == .malformed)
        #expect(code(head + String(repeating: "x", count: 9_000)) == .tooLarge)
        #expect(code(String(repeating: head + "\r\n1\r\n", count: 1_001) + "--b--") == .tooLarge)
        #expect(MultipartReader(contentType: "multipart/form-data") == nil)
        #expect(MultipartReader(contentType: "text/plain; boundary=b") == nil)
        #expect(MultipartReader(contentType: "Multipart/Form-Data; boundary=\"a b\"") != nil)
        #expect(MultipartReader(boundary: String(repeating: "b", count: 71)) == nil)
    }
}
