// LMDB as a peer, from the system's library; nothing is linked, so that it may be missing.
//
// Unsafe, with this argument: functions are looked up by the names of lmdb.h and called with the
// types declared there; keys and values handed in stay in place until the call has returned, and
// what is read ends with the transaction it is read in.
internal import Foundation

/// An environment with one database, read in one transaction.
final class LMDB {
    /// `MDB_val`.
    private struct Value {
        var count: Int
        var bytes: UnsafeMutableRawPointer?
    }

    private typealias Create =
        @convention(c) (UnsafeMutablePointer<OpaquePointer?>) -> Int32
    private typealias SetMapSize = @convention(c) (OpaquePointer?, Int) -> Int32
    private typealias Open =
        @convention(c) (OpaquePointer?, UnsafePointer<CChar>, UInt32, UInt32) -> Int32
    private typealias Begin =
        @convention(c) (
            OpaquePointer?, OpaquePointer?, UInt32, UnsafeMutablePointer<OpaquePointer?>
        ) -> Int32
    private typealias OpenDatabase =
        @convention(c) (
            OpaquePointer?, UnsafePointer<CChar>?, UInt32, UnsafeMutablePointer<UInt32>
        ) -> Int32
    private typealias Put =
        @convention(c) (
            OpaquePointer?, UInt32, UnsafeMutableRawPointer, UnsafeMutableRawPointer, UInt32
        ) -> Int32
    private typealias Get =
        @convention(c) (
            OpaquePointer?, UInt32, UnsafeMutableRawPointer, UnsafeMutableRawPointer
        ) -> Int32
    private typealias Commit = @convention(c) (OpaquePointer?) -> Int32
    private typealias End = @convention(c) (OpaquePointer?) -> Void

    private let begin: Begin
    private let put: Put
    private let get: Get
    private let commit: Commit
    private let abort: End
    private let close: End
    private var environment: OpaquePointer?
    private var database: UInt32 = 0
    private var reading: OpaquePointer?

    // lmdb.h
    private static let noSubdirectory: UInt32 = 0x4000
    private static let noSync: UInt32 = 0x10000
    private static let readOnly: UInt32 = 0x20000
    private static let integerKey: UInt32 = 0x08
    private static let create: UInt32 = 0x40000
    private static let append: UInt32 = 0x20000

    /// Opens a fresh environment; nil where the library is not installed.
    ///
    /// - Parameters:
    ///   - path: Its file.
    ///   - isSyncing: Whether every transaction is synced.
    /// - Throws: Why it cannot be opened.
    init?(_ path: String, isSyncing: Bool = false) throws {
        guard let library = dlopen("liblmdb.so.0", RTLD_NOW) else { return nil }
        func function<T>(_ name: String, _: T.Type = T.self) throws -> T {
            guard let address = dlsym(library, name) else { throw BenchError("no \(name)") }
            return unsafeBitCast(address, to: T.self)
        }
        begin = try function("mdb_txn_begin")
        put = try function("mdb_put")
        get = try function("mdb_get")
        commit = try function("mdb_txn_commit")
        abort = try function("mdb_txn_abort")
        close = try function("mdb_env_close")
        let create: Create = try function("mdb_env_create")
        let setMapSize: SetMapSize = try function("mdb_env_set_mapsize")
        let open: Open = try function("mdb_env_open")
        try Self.check(create(&environment), "create")
        try Self.check(setMapSize(environment, 4 << 30), "set its size")
        try Self.check(
            open(environment, path, Self.noSubdirectory | (isSyncing ? 0 : Self.noSync), 0o600),
            "open \(path)"
        )
        let openDatabase: OpenDatabase = try function("mdb_dbi_open")
        try write { transaction in
            try Self.check(
                openDatabase(transaction, nil, Self.integerKey | Self.create, &database),
                "open its database"
            )
        }
    }

    deinit {
        if let reading { abort(reading) }
        close(environment)
    }

    private static func check(_ result: Int32, _ what: String) throws {
        guard result == 0 else { throw BenchError("LMDB cannot \(what): \(result)") }
    }

    private func write(_ body: (OpaquePointer?) throws -> Void) throws {
        var transaction: OpaquePointer?
        try Self.check(begin(environment, nil, 0, &transaction), "begin")
        do {
            try body(transaction)
        } catch {
            abort(transaction)
            throw error
        }
        try Self.check(commit(transaction), "commit")
    }

    /// Puts values under the keys that follow in order.
    func append(_ values: some Collection<[UInt8]>, from first: Int) throws {
        try write { transaction in
            for (index, value) in values.enumerated() {
                let result = with(first + index) { key in
                    value.withUnsafeBytes { bytes in
                        var data = Value(
                            count: bytes.count,
                            bytes: UnsafeMutableRawPointer(mutating: bytes.baseAddress)
                        )
                        return put(transaction, database, key, &data, Self.append)
                    }
                }
                try Self.check(result, "put")
            }
        }
    }

    /// Finds one value, in the transaction of the first read.
    func valueByteCount(of key: Int) throws -> Int {
        if reading == nil {
            try Self.check(begin(environment, nil, Self.readOnly, &reading), "begin")
        }
        var data = Value(count: 0, bytes: nil)
        try Self.check(with(key) { get(reading, database, $0, &data) }, "get")
        return data.count
    }

    private func with<T>(_ key: Int, _ body: (UnsafeMutableRawPointer) throws -> T) rethrows -> T {
        var number = UInt64(key)
        return try withUnsafeMutableBytes(of: &number) { bytes in
            var value = Value(count: bytes.count, bytes: bytes.baseAddress)
            return try body(&value)
        }
    }
}
