// What load is made on: the server measured and its peers.
internal import Foundation

/// A running server, of one process or of several that only serve together.
protocol MeasuredServer {
    var name: String { get }
    var port: UInt16 { get }
    var processes: [ChildProcess] { get }
}

extension MeasuredServer {
    /// Processor time all of it has used.
    func processorSeconds() throws -> Double {
        try processes.reduce(0) { try $0 + $1.processorSeconds() }
    }

    /// Memory all of it holds that is no file's.
    ///
    /// Unit: bytes.
    func anonymousByteCount() throws -> Int {
        try processes.reduce(0) { try $0 + $1.anonymousByteCount() }
    }

    func stop() {
        for process in processes { process.stop() }
    }

    /// Waits until it answers a request as it should.
    func awaitAnswer(
        on port: UInt16,
        to method: String,
        _ path: String,
        body: String? = nil
    ) throws {
        for _ in 0..<500 {
            let reply = try? HTTPExchange(port: port).send(method, path, body: body)
            if reply?.status == 200 { return }
            usleep(20_000)
        }
        stop()
        throw BenchError("\(name) does not answer")
    }
}

/// Ports for peers, which do not tell on which they listen.
enum MeasuredPort {
    /// A port nobody listens on now.
    static func free() throws -> UInt16 {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard listener >= 0 else { throw BenchError("no socket") }
        defer { close(listener) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let result = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(listener, $0, length) == 0 ? getsockname(listener, $0, &length) : -1
            }
        }
        guard result == 0 else { throw BenchError("no free port") }
        return UInt16(bigEndian: address.sin_port)
    }
}
