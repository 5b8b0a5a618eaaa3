// A blocking connection with timeouts, plain or with TLS: all the client commands need of a
// network.
//
// Unsafe, with this argument: the list of getaddrinfo(3) is freed once, after its last use; buffers
// are lent to send(2) and recv(2) for the call alone, with their own length.
internal import Glibc
internal import HoldfastBasics
internal import HoldfastHTTP
internal import HoldfastNetworking

/// A connection to a server, closed with its owner.
final class ClientSocket {
    private let descriptor: Int32
    /// Goes before the descriptor.
    private var security: TLSSession?

    /// How long connecting, and every single read or write, may take.
    static let timeoutSeconds = 60
    private static let readByteCount = 64 << 10

    /// Connects to the first address of a host that answers, and with TLS has it show who it is.
    init(to url: ServerURL, _ context: TLSContext?) throws(CommandFailure) {
        switch url {
        case .local(let path): descriptor = try Self.connect(path: path)
        case .network(let address):
            descriptor = try Self.connect(address.host, "\(address.port)")
            if let context { security = try Self.secure(descriptor, address, context) }
        }
    }

    deinit {
        _ = security?.endOutput()
        security = nil
        close(descriptor)
    }

    private static func secure(
        _ descriptor: Int32,
        _ address: ServerAddress,
        _ context: TLSContext
    ) throws(CommandFailure) -> TLSSession {
        let session = TLSSession.client(context, over: descriptor, to: address.host)
        let reason: TLSError
        switch session?.shake() {
        case .moved:
            if let session { return session }
            reason = .truncated
        case .failed(let error): reason = error
        case .ended: reason = .truncated
        case .wantsInput, .wantsRoom: reason = .timedOut
        case nil: reason = .cannotBegin("\(address.host) is no name a certificate could be for")
        }
        // The descriptor is closed with its owner, whose parts are all there.
        throw CommandFailure(
            .unreachable,
            "no secure connection to \(address): \(reason)" + advice(reason)
        )
    }

    /// Which flag helps.
    private static func advice(_ reason: TLSError) -> String {
        switch reason {
        case .unknownAuthority: " with --ca or HOLDFAST_CA"
        case .clientCertificateMissing: " with --client-certificate and --client-key"
        default: ""
        }
    }

    private static func connect(_ host: String, _ port: String) throws(CommandFailure) -> Int32 {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        let failed = getaddrinfo(host, port, &hints, &list)
        guard failed == 0 else {
            throw Self.failure(host, port, String(cString: gai_strerror(failed)))
        }
        defer { freeaddrinfo(list) }
        var reason = "no address"
        var next = list
        while let address = next?.pointee {
            next = address.ai_next
            if let connected = Self.connect(address, &reason) { return connected }
        }
        throw Self.failure(host, port, reason)
    }

    private static func connect(path: String) throws(CommandFailure) -> Int32 {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let length = socklen_t(MemoryLayout<sockaddr_un>.size)
        // The path was measured when it was read.
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let opened = socket(
            AF_UNIX,
            Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue),
            0
        )
        let isConnected = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                opened >= 0 && limitTimes(opened) && Glibc.connect(opened, $0, length) == 0
            }
        }
        if isConnected { return opened }
        let reason = String(cString: strerror(errno))
        if opened >= 0 { close(opened) }
        throw CommandFailure(
            .unreachable,
            "cannot reach unix:\(path): \(reason); is `holdfast serve` listening there? "
                + "--url or HOLDFAST_URL names another server"
        )
    }

    /// Bounds connecting, and every read and write.
    private static func limitTimes(_ opened: Int32) -> Bool {
        var limit = timeval(tv_sec: timeoutSeconds, tv_usec: 0)
        let length = socklen_t(MemoryLayout<timeval>.size)
        // On Linux the limit of sending counts for connecting too: socket(7).
        return setsockopt(opened, SOL_SOCKET, SO_RCVTIMEO, &limit, length) == 0
            && setsockopt(opened, SOL_SOCKET, SO_SNDTIMEO, &limit, length) == 0
    }

    private static func connect(_ address: addrinfo, _ reason: inout String) -> Int32? {
        let opened = socket(
            address.ai_family,
            address.ai_socktype | Int32(SOCK_CLOEXEC.rawValue),
            address.ai_protocol
        )
        if opened >= 0, limitTimes(opened),
            Glibc.connect(opened, address.ai_addr, address.ai_addrlen) == 0
        {
            return opened
        }
        reason = errno == EINPROGRESS ? "no answer" : String(cString: strerror(errno))
        if opened >= 0 { close(opened) }
        return nil
    }

    private static func failure(
        _ host: String,
        _ port: String,
        _ reason: String
    ) -> CommandFailure {
        CommandFailure(
            .unreachable,
            "cannot reach \(host):\(port): \(reason); is `holdfast serve` running there? "
                + "--url or HOLDFAST_URL names another server"
        )
    }

    /// Waits for what comes as long as it takes: the server has much to do before it answers.
    func waitForEver() {
        // Zero is no limit: socket(7). Should it be refused, the limit there was stays.
        var limit = timeval(tv_sec: 0, tv_usec: 0)
        let length = socklen_t(MemoryLayout<timeval>.size)
        _ = setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, length)
    }

    /// Writes all bytes; false when the server takes no more, which may be because it has answered.
    func write(_ bytes: ByteView) -> Bool {
        if let security { return write(bytes, security) }
        return bytes.withUnsafeBytes { memory in
            var rest = memory[...]
            while !rest.isEmpty {
                let part = UnsafeRawBufferPointer(rebasing: rest)
                let flags = Int32(MSG_NOSIGNAL)
                let count = send(descriptor, part.baseAddress, part.count, flags)
                if count < 0, errno != EINTR { return false }
                rest = rest.dropFirst(max(0, count))
            }
            return true
        }
    }

    private func write(_ bytes: ByteView, _ session: TLSSession) -> Bool {
        var offset = 0
        while offset < bytes.count {
            guard case .moved(let count) = session.send(bytes.suffix(from: offset)) else {
                return false
            }
            offset += count
        }
        return true
    }

    private func read(
        into buffer: inout ByteBuffer,
        _ session: TLSSession
    ) throws(CommandFailure) -> Bool {
        var progress = TLSSession.Progress.wantsInput
        buffer.appendUnsafe(Self.readByteCount) { memory in
            progress = session.receive(into: memory)
            if case .moved(let count) = progress { return count }
            return 0
        }
        switch progress {
        case .moved: return true
        case .ended: return false
        case .failed(let error):
            throw CommandFailure(
                .unreachable,
                "the server's answer is cut: \(error)" + Self.advice(error)
            )
        case .wantsInput, .wantsRoom: throw Self.silence
        }
    }

    private static var silence: CommandFailure {
        CommandFailure(
            .unreachable,
            "the server's answer is cut: nothing came for \(timeoutSeconds) s"
        )
    }

    /// Appends what comes next; false when the server has ended the connection.
    func read(into buffer: inout ByteBuffer) throws(CommandFailure) -> Bool {
        if let security { return try read(into: &buffer, security) }
        var count = 0
        repeat {
            buffer.appendUnsafe(Self.readByteCount) { memory in
                count = recv(descriptor, memory.baseAddress, memory.count, 0)
                return max(0, count)
            }
        } while count < 0 && errno == EINTR
        guard count >= 0 else {
            if errno == EAGAIN { throw Self.silence }
            let reason = String(cString: strerror(errno))
            throw CommandFailure(.unreachable, "the server's answer is cut: \(reason)")
        }
        return count > 0
    }
}
