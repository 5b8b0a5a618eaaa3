// The client's end of TLS over a blocking socket.
internal import Glibc
internal import HoldfastBasics
public import HoldfastNetworking

/// One connection with TLS; a read gives up after 20 s, so that a failing test ends.
public final class TLSClient {
    private let descriptor: Int32
    private var session: TLSSession?

    /// Connects to `127.0.0.1`.
    ///
    /// - Parameters:
    ///   - port: Where.
    ///   - context: Whom to trust.
    ///   - host: Who the server has to be.
    ///   - first: Is sent in one packet with the end of the handshake.
    /// - Throws: Why the handshake failed.
    public init(
        port: UInt16,
        _ context: TLSContext,
        host: String = "localhost",
        first: String = ""
    ) throws(TLSError) {
        descriptor = connectedSocket(port)
        if !first.isEmpty { setCork(1) }
        guard let session = TLSSession.client(context, over: descriptor, to: host) else {
            throw .cannotBegin("no session")
        }
        self.session = session
        switch session.shake() {
        case .moved: break
        case .failed(let error): throw error
        case .ended: throw .truncated
        case .wantsInput, .wantsRoom: throw .timedOut
        }
        guard !first.isEmpty else { return }
        send(first)
        setCork(0)
    }

    /// Holds back packets that are not full, or sends them.
    private func setCork(_ on: Int32) {
        var on = on
        let length = socklen_t(MemoryLayout<Int32>.size)
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_CORK, &on, length)
    }

    deinit {
        session = nil
        close(descriptor)
    }

    /// `TLSv1.3`, say.
    public var version: String { session?.version ?? "" }

    /// Sends all of it.
    ///
    /// - Returns: False when the peer does not take it.
    @discardableResult
    public func send(_ bytes: [UInt8]) -> Bool {
        var offset = 0
        while offset < bytes.count {
            let progress = bytes.withView { session?.send($0.suffix(from: offset)) }
            guard case .moved(let count) = progress else { return false }
            offset += count
        }
        return true
    }

    /// Sends a text.
    @discardableResult
    public func send(_ text: String) -> Bool { send(Array(text.utf8)) }

    /// Reads until there are `count` bytes, or the peer ends.
    ///
    /// - Returns: What came, and how it ended when it did.
    public func receive(_ count: Int = .max) -> (bytes: [UInt8], end: TLSSession.Progress?) {
        var out: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 16 << 10)
        while out.count < count, let session {
            let wanted = min(buffer.count, count - out.count)
            let progress = buffer.withUnsafeMutableBytes {
                session.receive(into: UnsafeMutableRawBufferPointer(rebasing: $0[..<wanted]))
            }
            guard case .moved(let moved) = progress else { return (out, progress) }
            out += buffer[..<moved]
        }
        return (out, nil)
    }

    /// Reads a text of so many bytes.
    public func receiveText(_ count: Int) -> String {
        String(decoding: receive(count).bytes, as: UTF8.self)
    }

    /// Says that no more comes; the peer may go on.
    public func endOutput() { _ = session?.endOutput() }

    /// Ends the socket's side without saying so by TLS.
    public func cut() { shutdown(descriptor, Int32(SHUT_WR)) }
}

/// A socket that blocks, connected to a port of this machine.
public func connectedSocket(_ port: UInt16) -> Int32 {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var wait = timeval(tv_sec: 20, tv_usec: 0)
    let length = socklen_t(MemoryLayout<timeval>.size)
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &wait, length)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    let result = withUnsafePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
        }
    }
    precondition(result == 0, "nobody listens on \(port)")
    return descriptor
}
