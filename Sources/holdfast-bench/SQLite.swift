// SQLite as a peer, from the system's library; nothing is linked, so that it may be missing.
//
// Unsafe, with this argument: functions are looked up by the names of sqlite3.h and called with the
// types declared there; bound bytes stay in place until the step that reads them has returned.
internal import Foundation

/// A database with one table, in WAL mode with a sync for each commit.
final class SQLite {
    private typealias Open =
        @convention(c) (
            UnsafePointer<CChar>, UnsafeMutablePointer<OpaquePointer?>
        ) -> Int32
    private typealias Execute =
        @convention(c) (
            OpaquePointer?, UnsafePointer<CChar>, OpaquePointer?, OpaquePointer?, OpaquePointer?
        ) -> Int32
    private typealias Prepare =
        @convention(c) (
            OpaquePointer?, UnsafePointer<CChar>, Int32, UnsafeMutablePointer<OpaquePointer?>,
            OpaquePointer?
        ) -> Int32
    private typealias BindBlob =
        @convention(c) (
            OpaquePointer?, Int32, UnsafeRawPointer?, Int32, OpaquePointer?
        ) -> Int32
    private typealias BindNumber = @convention(c) (OpaquePointer?, Int32, Int64) -> Int32
    private typealias ColumnByteCount = @convention(c) (OpaquePointer?, Int32) -> Int32
    private typealias OnPointer = @convention(c) (OpaquePointer?) -> Int32

    private let execute: Execute
    private let bindBlob: BindBlob
    private let bindNumber: BindNumber
    private let columnByteCount: ColumnByteCount
    private let step: OnPointer
    private let reset: OnPointer
    private let finalize: OnPointer
    private let close: OnPointer
    private var database: OpaquePointer?
    private var insertion: OpaquePointer?
    private var selection: OpaquePointer?

    private static let row: Int32 = 100
    private static let done: Int32 = 101

    /// Opens a fresh database; nil where the library is not installed.
    init?(_ path: String) throws {
        guard let library = dlopen("libsqlite3.so.0", RTLD_NOW) else { return nil }
        func function<T>(_ name: String, _: T.Type = T.self) throws -> T {
            guard let address = dlsym(library, name) else { throw BenchError("no \(name)") }
            return unsafeBitCast(address, to: T.self)
        }
        execute = try function("sqlite3_exec")
        bindBlob = try function("sqlite3_bind_blob")
        bindNumber = try function("sqlite3_bind_int64")
        columnByteCount = try function("sqlite3_column_bytes")
        step = try function("sqlite3_step")
        reset = try function("sqlite3_reset")
        finalize = try function("sqlite3_finalize")
        close = try function("sqlite3_close")
        let open: Open = try function("sqlite3_open")
        let prepare: Prepare = try function("sqlite3_prepare_v2")
        guard open(path, &database) == 0 else { throw BenchError("SQLite cannot open \(path)") }
        try run("PRAGMA journal_mode=WAL")
        try run("PRAGMA synchronous=FULL")
        try run("CREATE TABLE bench (id INTEGER PRIMARY KEY, value BLOB NOT NULL)")
        let text = "INSERT INTO bench (value) VALUES (?)"
        guard prepare(database, text, -1, &insertion, nil) == 0 else {
            throw BenchError("SQLite cannot prepare \(text)")
        }
        let query = "SELECT value FROM bench WHERE id = ?"
        guard prepare(database, query, -1, &selection, nil) == 0 else {
            throw BenchError("SQLite cannot prepare \(query)")
        }
        try run("PRAGMA cache_size=-1000000")
    }

    /// Reads one row by its id, from 1, with a prepared statement.
    func valueByteCount(of id: Int) throws -> Int {
        _ = bindNumber(selection, 1, Int64(id))
        let result = step(selection)
        guard result == Self.row else { throw BenchError("SQLite: select gives \(result)") }
        let count = columnByteCount(selection, 0)
        _ = reset(selection)
        return Int(count)
    }

    deinit {
        _ = finalize(insertion)
        _ = finalize(selection)
        _ = close(database)
    }

    /// Inserts rows in one transaction and waits until it is synced.
    func insert(_ values: ArraySlice<[UInt8]>) throws {
        try run("BEGIN")
        for value in values {
            let result = value.withUnsafeBytes { bytes in
                _ = bindBlob(insertion, 1, bytes.baseAddress, Int32(bytes.count), nil)
                return step(insertion)
            }
            guard result == Self.done else { throw BenchError("SQLite: step gives \(result)") }
            _ = reset(insertion)
        }
        try run("COMMIT")
    }

    private func run(_ text: String) throws {
        let result = execute(database, text, nil, nil, nil)
        guard result == 0 || result == Self.row else {
            throw BenchError("SQLite: \(text) gives \(result)")
        }
    }
}
