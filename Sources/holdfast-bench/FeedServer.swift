// What the measures of the feed ask of a server: ours, and NATS.
internal import Foundation
internal import HoldfastBasics

/// A server that tells subscribers what publishers send it.
protocol FeedServer: MeasuredServer {
    /// Opens a connection that hears everything; it is ready when this returns.
    func subscriber(isTimed: Bool) throws -> any Subscriber
    /// Opens a connection for sending.
    func publisher() throws -> any Publisher
}

/// A connection that hears everything and counts it.
protocol Subscriber: AnyObject {
    var socket: Socket { get }
    /// Messages that have come.
    var deliveryCount: Int { get }
    /// Times from sending to arrival, in nanoseconds.
    var latencies: [UInt64] { get }
    /// Takes what has come.
    func receive() throws
}

/// A connection that sends; its socket does not block.
protocol Publisher: AnyObject {
    var socket: Socket { get }
    /// Sends one message, without waiting for an answer.
    ///
    /// - Parameters:
    ///   - message: An object in JSON.
    ///   - number: Another for each.
    /// - Throws: What keeps it from being sent.
    func publish(_ message: String, number: Int) throws
    /// Takes what was answered.
    func receive() throws
}

/// Messages that hold when they were sent.
enum TimedMessage {
    static func text(byteCount: Int) -> String {
        Sample.document(byteCount: byteCount, number: Int(Clock.nanoseconds))
    }

    /// How long ago one was sent, in nanoseconds.
    static func age(_ message: ByteView, _ now: UInt64) -> UInt64? {
        guard let start = message.range(of: "\"number\":") else { return nil }
        var at = start + 9
        var value: UInt64 = 0
        while at < message.count, (48...57).contains(message[at]) {
            value = value &* 10 &+ UInt64(message[at] - 48)
            at += 1
        }
        return now &- value
    }
}

extension ServerProcess: FeedServer {
    func subscriber(isTimed: Bool) throws -> any Subscriber {
        try FeedSubscriber(port: port, isTimed: isTimed)
    }

    func publisher() throws -> any Publisher { try RecordPublisher(port: port) }
}

/// Creates a record for each message.
private final class RecordPublisher: Publisher {
    private let exchange: HTTPExchange
    private let host: String

    init(port: UInt16) throws {
        exchange = try HTTPExchange(port: port)
        exchange.socket.stopBlocking()
        host = "127.0.0.1:\(port)"
    }

    var socket: Socket { exchange.socket }

    func publish(_ message: String, number: Int) throws {
        let request = HTTPExchange.request(
            "PUT",
            "/v1/records/bench/\(number)",
            host: host,
            headers: ["If-None-Match: *"],
            body: message
        )
        try socket.send(Array(request.utf8))
    }

    func receive() throws {
        guard try socket.receive(into: &exchange.buffer) > 0 else { return }
        // What is created is answered without a body: a whole reply is a head.
        while let end = exchange.buffer.view.range(of: "\r\n\r\n") {
            let head = exchange.buffer.view[0..<end]
            guard head.range(of: "HTTP/1.1 201 ") == 0 else { throw BenchError(head.text) }
            exchange.buffer.consume(end + 4)
        }
    }
}
