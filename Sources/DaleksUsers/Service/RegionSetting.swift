import DaleksAPI
import DaleksCore

/// `CODE=URL` or `CODE=URL=NAME`, as the configuration names a region.
enum RegionSetting {
    /// What is wrong with the text, as the end of a sentence that begins with it.
    struct Complaint: Error {
        let text: String
    }

    static func parse(_ text: String) throws(Complaint) -> RegionRecord {
        let parts = text.split(separator: "=", maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count >= 2 else { throw Complaint(text: "is not CODE=URL or CODE=URL=NAME") }
        let code = String(parts[0])
        guard isCode(code) || code == "auto" else {
            throw Complaint(text: "begins with no short name of lower-case letters, digits and dashes")
        }
        guard code != "auto" else { throw Complaint(text: "names a region auto, which means any of them") }
        guard let url = url(String(parts[1])) else { throw Complaint(text: "names no http or https URL") }
        let name = parts.count == 3 && !parts[2].isEmpty ? String(parts[2]) : code
        guard Registration.isShown(name, bytesMax: Limits.Users.nameBytesMax) else {
            throw Complaint(text: "has a name that is too long or holds control characters")
        }
        return RegionRecord(code: code, name: name, filesURL: url, status: RegionTable.open)
    }

    /// Regions that can be told apart, by their users and by their tokens.
    static func check(_ regions: [RegionRecord]) throws(Complaint) {
        guard regions.count <= Limits.Users.regionCountMax else {
            throw Complaint(text: "is one too many: there may be \(Limits.Users.regionCountMax)")
        }
        guard Set(regions.map(\.code)).count == regions.count else {
            throw Complaint(text: "has a code that stands twice")
        }
        guard Set(regions.map(\.filesURL)).count == regions.count else {
            throw Complaint(text: "has a URL that another region has: tokens for one would do for the other")
        }
    }

    static func isCode(_ text: String) -> Bool {
        (1...32).contains(text.utf8.count) && text.utf8.allSatisfy(isCodeByte) && text != "auto"
    }

    /// Without its last slash, so that two ways to write one URL are one issuer or audience. Nil where it is none.
    static func url(_ text: String) -> String? {
        let url = withoutLastSlash(text)
        let isURL = ["http://", "https://"].contains { url.hasPrefix($0) && url.utf8.count > $0.utf8.count }
        return isURL && url.utf8.allSatisfy { (33...126).contains($0) } ? url : nil
    }

    static func withoutLastSlash(_ text: String) -> String {
        var url = text
        while url.hasSuffix("/") { url.removeLast() }
        return url
    }

    private static func isCodeByte(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
            || byte == UInt8(ascii: "-")
    }
}
