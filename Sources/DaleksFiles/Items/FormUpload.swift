import DaleksAPI
import DaleksCore
import DaleksHTTP
import DaleksHTTPServer

/// The files of a form on their way into a folder, each with the rights, conditions and quota of a PUT, and in a
/// transaction of its own. Fields that are no files are read and mean nothing.
///
/// One request uses it, on one thread.
final class FormUpload {
    struct Stored {
        let name: Name
        let node: NodeRecord
        let isNew: Bool
    }

    private enum Part {
        case file(Name)
        case field(bytes: Int)
    }

    private let items: Items
    private let folder: NodeID
    private let caller: UserID
    private var part: Part?
    private var writer: ContentWriter?
    private(set) var stored: [Stored] = []

    init(_ items: Items, into folder: NodeID, by caller: UserID) {
        self.items = items
        self.folder = folder
        self.caller = caller
    }

    func read(_ body: HTTPBody, _ reader: consuming MultipartReader) throws(APIError) {
        var reader = reader
        do throws(APIError) {
            try body.forEach { bytes throws(APIError) in
                try reader.read(bytes) { event throws(APIError) in try take(event) }
            }
            try reader.finish()
        } catch {
            guard !stored.isEmpty else { throw error }
            // Whoever asks again must know that some came.
            throw APIError(
                error.code,
                "\(error.detail); the form's first \(stored.count) files are stored",
                status: error.status,
                fields: error.fields
            )
        }
    }

    private func take(_ event: MultipartReader.Event) throws(APIError) {
        switch event {
        case .began(let part): try begin(part)
        case .bytes(let bytes): try append(bytes)
        case .ended: try end()
        }
    }

    private func begin(_ part: MultipartReader.Part) throws(APIError) {
        // An empty name is a field where nothing was chosen.
        guard let filename = part.filename, !filename.isEmpty else {
            self.part = .field(bytes: 0)
            return
        }
        guard String(validating: filename, as: UTF8.self) != nil else {
            throw .invalid("a file's name in a form must be UTF-8")
        }
        guard let name = try? Name(filename) else {
            throw .invalid(
                "a file's name in the form has 1 to \(Limits.nameBytesMax) bytes, no slash, and is not . or .."
            )
        }
        self.part = .file(name)
        let target = WriteTarget(.name(parent: folder, name: name))
        writer = ContentWriter(items.content, try items.store.beginWriting(to: target, bytes: 0, by: caller))
    }

    private func append(_ bytes: UnsafeRawBufferPointer) throws(APIError) {
        if case .field(let count) = part {
            guard count + bytes.count <= Limits.Files.formFieldBytesMax else {
                throw .tooLarge("a field of the form that is no file is too long")
            }
            part = .field(bytes: count + bytes.count)
        } else {
            try writer?.append(bytes)
        }
    }

    private func end() throws(APIError) {
        defer { part = nil }
        guard case .file(let name) = part, var writer = writer.take() else { return }
        let written = try writer.finish()
        let told = try items.store.putContent(written, at: WriteTarget(.name(parent: folder, name: name)), by: caller)
        items.announce(told.owners)
        stored.append(Stored(name: name, node: told.value.record, isNew: told.value.isNew))
    }
}
