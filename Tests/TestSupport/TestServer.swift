// The real server over real sockets, on a disk a test owns.
import Foundation
public import HoldfastBasics
public import HoldfastCommitLog
import HoldfastNetworking
public import HoldfastServer
public import HoldfastStorage
public import HoldfastStore

/// A server in this process, on a port of its own.
public final class TestServer: Sendable {
    /// What it serves.
    public let store: Store
    private let runner: StoreRunner
    private let server: Server

    /// Opens the database on a disk, making it when it is not there, and serves it.
    public init(
        disk: any Disk = SimulatedDisk(),
        options: LogOptions = LogOptions(),
        time: any TimeSource = SystemTime(),
        configure: (inout ServerConfiguration) -> Void = { _ in }
    ) throws {
        let logger = Logger(level: .error, time: time) { _ in }
        if try disk.names(in: "").isEmpty {
            try Store.create(on: disk, application: "stockroom", options: options, time: time)
        }
        store = try Store(
            disk: disk,
            application: "stockroom",
            options: options,
            time: time,
            logger: logger
        )
        runner = StoreRunner(store)
        var configuration = ServerConfiguration(addresses: [.loopback(port: 0)])
        configuration.loopCount = 1
        configure(&configuration)
        server = try Server(
            store: store,
            configuration: configuration,
            logger: logger,
            version: "test",
            time: time
        )
    }

    /// `HOST:PORT`.
    public var address: String { server.address }

    /// Ends the server and closes its database.
    ///
    /// - Parameter seconds: How long connections may take to end; those of a test's own clients
    ///   stay as long as the client does.
    /// - Throws: What closing the database throws.
    public func stop(withinSeconds seconds: Double = 2) throws {
        server.stop(withinSeconds: seconds)
        try runner.close()
    }

    /// Sends one request on a connection of its own and waits for the reply.
    public func send(
        _ method: String,
        _ target: String,
        headers: [(String, String)] = [],
        body: String? = nil
    ) throws -> TestReply {
        let client = try TestClient(address)
        return try client.send(method, target, headers: headers, body: body)
    }
}

extension ServerConfiguration {
    /// The port of loopback on which a test's server listens; 0 picks one.
    public var port: UInt16 {
        get { addresses[0].port }
        set { addresses = [.loopback(port: newValue)] }
    }
}

/// A reply as it came.
public struct TestReply: Sendable {
    /// Its status.
    public let status: Int
    /// Its header fields in lower case; of a repeated one the last.
    public let headers: [String: String]
    /// Its body, chunks joined.
    public let body: [UInt8]

    /// The body as text.
    public var text: String { String(decoding: body, as: UTF8.self) }
}
