// A connection in between that can go silent without ending.
internal import Glibc
internal import HoldfastBasics

/// Forwards connections to a server, until it is told to swallow whatever comes.
///
/// What was lost on the way stays lost; no end of a connection is told while it swallows.
public final class TestProxy: Sendable {
    private struct State {
        var isSwallowing = false
        var isStopped = false
        var open: Set<Int32> = []
        var workers: [Worker] = []
    }

    /// The port it listens on.
    public let port: UInt16
    private let target: UInt16
    private let listener: Int32
    private let state = Lock(State())

    /// Listens on a port of its own, on loopback.
    ///
    /// - Parameter target: The port of the server, on loopback.
    public init(to target: UInt16) {
        self.target = target
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        self.listener = listener
        var address = Self.loopback(0)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isReady = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                bind(listener, pointer, length) == 0 && listen(listener, 16) == 0
                    && getsockname(listener, pointer, &length) == 0
            }
        }
        precondition(isReady, "a free port can be listened on")
        port = UInt16(bigEndian: address.sin_port)
        start { $0.accept() }
    }

    private static func loopback(_ port: UInt16) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return address
    }

    /// Forwards nothing from now on, or everything again.
    public func swallow(_ isSwallowing: Bool) { state.withLock { $0.isSwallowing = isSwallowing } }

    /// Ends all connections, and waits for its threads.
    public func stop() {
        let workers = state.withLock { state in
            state.isStopped = true
            shutdown(listener, Int32(SHUT_RDWR))
            for descriptor in state.open { shutdown(descriptor, Int32(SHUT_RDWR)) }
            return state.workers
        }
        for worker in workers { worker.join() }
        close(listener)
    }

    private func start(_ body: @escaping @Sendable (TestProxy) -> Void) {
        let worker = Worker { [self] in body(self) }
        state.withLock { $0.workers.append(worker) }
    }

    private func accept() {
        while true {
            let client = Glibc.accept(listener, nil, nil)
            guard client >= 0 else { return }
            let server = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
            var address = Self.loopback(target)
            let isConnected = withUnsafePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                    connect(server, pointer, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
                }
            }
            let isTaken = state.withLock { state in
                guard !state.isStopped, isConnected else { return false }
                state.open.formUnion([client, server])
                return true
            }
            guard isTaken else {
                close(client)
                close(server)
                continue
            }
            start { $0.forward(client, server) }
        }
    }

    /// Carries bytes both ways; an end of either side is passed on unless it swallows.
    private func forward(_ client: Int32, _ server: Int32) {
        var waiting = [client, server].map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        var isOver = false
        while !isOver, poll(&waiting, 2, -1) >= 0 {
            for index in 0...1 where waiting[index].revents != 0 {
                let count = recv(waiting[index].fd, &buffer, buffer.count, 0)
                let (isSwallowing, isStopped) = state.withLock { ($0.isSwallowing, $0.isStopped) }
                guard count > 0 else {
                    // An end nobody is told of is looked at no more.
                    waiting[index].fd = isSwallowing ? -1 : waiting[index].fd
                    isOver = isOver || !isSwallowing || isStopped
                    continue
                }
                guard !isSwallowing else { continue }
                sendAll(Array(buffer[..<count]), on: index == 0 ? server : client)
            }
            isOver = isOver || waiting.allSatisfy { $0.fd < 0 }
        }
        state.withLock { $0.open.subtract([client, server]) }
        close(client)
        close(server)
    }
}
