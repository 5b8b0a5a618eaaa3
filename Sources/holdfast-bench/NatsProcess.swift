// The peer of the feed: NATS, which forwards messages and keeps none.
internal import Foundation
internal import HoldfastBasics

/// A running nats-server.
final class NatsProcess: FeedServer {
    let name = "nats"
    let port: UInt16
    let processes: [ChildProcess]

    /// Starts it; nil where it is not installed.
    init?(_ folder: ScratchFolder) throws {
        guard let path = ChildProcess.find("nats-server") else { return nil }
        port = try MeasuredPort.free()
        let watch = try MeasuredPort.free()
        processes = [
            try ChildProcess(
                path,
                ["-a", "127.0.0.1", "-p", "\(port)", "-m", "\(watch)", "-l", folder.fresh("nats")]
            )
        ]
        try awaitAnswer(on: watch, to: "GET", "/healthz")
    }

    func subscriber(isTimed: Bool) throws -> any Subscriber {
        try NatsSubscriber(port: port, isTimed: isTimed)
    }

    func publisher() throws -> any Publisher { try NatsPublisher(port: port) }
}

/// A connection in the protocol of NATS.
///
/// Source: docs.nats.io, "Client Protocol".
private class NatsConnection {
    let socket: Socket
    var buffer = ByteBuffer()
    private(set) var deliveryCount = 0
    private(set) var latencies: [UInt64] = []
    private let isTimed: Bool
    private var isReady = false

    /// Connects, says what is to be said, and waits until the server has taken it.
    init(port: UInt16, isTimed: Bool, _ lines: String) throws {
        self.isTimed = isTimed
        socket = try Socket(port: port)
        try socket.send(Array("CONNECT {\"verbose\":false}\r\n\(lines)PING\r\n".utf8))
        while !isReady {
            _ = try socket.receive(into: &buffer)
            try read()
        }
        socket.stopBlocking()
    }

    func receive() throws {
        guard try socket.receive(into: &buffer) > 0 else { return }
        try read()
    }

    private func read() throws {
        let bytes = buffer.view
        let now = Clock.nanoseconds
        var at = 0
        while let end = bytes.firstIndex(of: UInt8(ascii: "\n"), from: at) {
            let line = bytes[at..<end - 1]
            guard line.starts(with: "MSG ") else {
                if line.starts(with: "PONG") { isReady = true }
                if line.starts(with: "PING") { try socket.send(Array("PONG\r\n".utf8)) }
                if line.starts(with: "-ERR") { throw BenchError("nats: \(line.text)") }
                at = end + 1
                continue
            }
            let length = Self.lastNumber(line)
            guard end + 1 + length + 2 <= bytes.count else { break }
            deliveryCount += 1
            if isTimed, let age = TimedMessage.age(bytes[end + 1..<end + 1 + length], now) {
                latencies.append(age)
            }
            at = end + 1 + length + 2
        }
        buffer.consume(at)
    }

    private static func lastNumber(_ line: ByteView) -> Int {
        var value = 0
        var scale = 1
        var at = line.count - 1
        while at >= 0, (48...57).contains(line[at]) {
            value += Int(line[at] - 48) * scale
            scale *= 10
            at -= 1
        }
        return value
    }
}

private final class NatsSubscriber: NatsConnection, Subscriber {
    init(port: UInt16, isTimed: Bool) throws {
        try super.init(port: port, isTimed: isTimed, "SUB bench 1\r\n")
    }
}

private final class NatsPublisher: NatsConnection, Publisher {
    init(port: UInt16) throws { try super.init(port: port, isTimed: false, "") }

    func publish(_ message: String, number: Int) throws {
        try socket.send(Array("PUB bench \(message.utf8.count)\r\n\(message)\r\n".utf8))
    }
}

extension ByteView {
    fileprivate func starts(with text: StaticString) -> Bool {
        let length = text.utf8CodeUnitCount
        return count >= length && self[0..<length].equals(text)
    }
}
