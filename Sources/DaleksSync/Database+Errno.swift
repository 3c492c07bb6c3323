import DaleksSQLite
import DaleksSystem

extension Errno {
    /// What a user's program hears when our own database fails: the one thing it could act on is a full disk.
    init(_ error: SQLiteError) {
        switch error.code {
        case .full: self = .noSpace
        case .noMemory: self = .noMemory
        case .busy, .corrupt, .notADatabase, .foreign, .migration, .constraint, .readOnly, .cannotOpen, .ioError,
            .interrupted, .mismatch, .tooBig, .closed, .misuse, .other:
            self = .io
        }
    }
}

/// Transactions whose failures the kernel can hear.
extension Database {
    func reading<Result>(_ body: (borrowing Connection) throws -> Result) throws(Errno) -> Result {
        do {
            return try read(body)
        } catch let error as SQLiteError {
            throw Errno(error)
        } catch {
            throw .io
        }
    }

    /// For what reads many rows: whoever changes something does not wait for it.
    func readingLong<Result>(_ body: (borrowing Connection) throws -> Result) throws(Errno) -> Result {
        do {
            return try readLong(body)
        } catch let error as SQLiteError {
            throw Errno(error)
        } catch {
            throw .io
        }
    }

    func writing<Result>(_ body: (borrowing Connection) throws -> Result) throws(Errno) -> Result {
        do {
            return try write(.normal, body)
        } catch let error as SQLiteError {
            throw Errno(error)
        } catch {
            throw .io
        }
    }

    /// For changes that may turn out to be impossible: an obstacle undoes what the body did.
    func changing<Result>(_ body: (borrowing Connection) throws -> Result) throws(Obstacle) -> Result {
        do {
            return try write(.normal, body)
        } catch let obstacle as Obstacle {
            throw obstacle
        } catch let error as SQLiteError {
            throw .errno(Errno(error))
        } catch {
            throw .errno(.io)
        }
    }

    func looking<Result>(_ body: (borrowing Connection) throws -> Result) throws(Obstacle) -> Result {
        do {
            return try read(body)
        } catch let obstacle as Obstacle {
            throw obstacle
        } catch let error as SQLiteError {
            throw .errno(Errno(error))
        } catch {
            throw .errno(.io)
        }
    }
}
