// Where to listen: a numeric address and a port, or a socket in the file system. Names are not
// resolved, so that nothing blocks and nothing surprises.
internal import CHoldfastLibevent

/// A numeric IPv4 or IPv6 address with a port, or the path of a Unix socket.
public struct SocketAddress: Sendable, Equatable, CustomStringConvertible {
    private enum Family { case version4, version6, local }

    /// The address without brackets; empty for a Unix socket.
    public let host: String
    /// The port; 0 lets the system choose, and is that of a Unix socket.
    public let port: UInt16
    /// The path of a Unix socket; nil for an address of the network.
    public let path: String?
    /// Whether only this machine can reach it.
    public let isLoopback: Bool
    private let family: Family

    /// Reads `127.0.0.1:8080`, `[::1]:8080`, `localhost:8080` or `unix:/run/holdfast.sock`.
    ///
    /// - Throws: `badAddress`.
    public init(_ text: String) throws(NetworkError) {
        if text.hasPrefix("unix:") {
            let path = String(text.dropFirst(5))
            guard path.hasPrefix("/"), !path.utf8.contains(0),
                path.utf8.count <= Self.pathByteCountMax
            else { throw .badAddress(text) }
            self.init(path: path)
            return
        }
        guard let colon = text.lastIndex(of: ":"),
            let port = Self.port(text[text.index(after: colon)...])
        else { throw .badAddress(text) }
        var host = String(text[..<colon])
        let isBracketed = host.hasPrefix("[") && host.hasSuffix("]")
        if isBracketed { host = String(host.dropFirst().dropLast()) }
        if host == "localhost" { host = "127.0.0.1" }
        var isLoopback: Int32 = 0
        let family = holdfast_address_family(host, &isLoopback)
        guard family == (isBracketed ? 6 : 4) else { throw .badAddress(text) }
        let kind = isBracketed ? Family.version6 : .version4
        self.init(host, port, isLoopback: isLoopback != 0, kind)
    }

    private init(_ host: String, _ port: UInt16, isLoopback: Bool, _ family: Family) {
        self.host = host
        self.port = port
        self.isLoopback = isLoopback
        self.family = family
        path = nil
    }

    private init(path: String) {
        (host, port, isLoopback, family) = ("", 0, true, .local)
        self.path = path
    }

    /// Longest path: that of `sockaddr_un`, with its ending NUL.
    public static let pathByteCountMax = 107

    /// IPv4's loopback.
    public static func loopback(port: UInt16) -> SocketAddress {
        SocketAddress("127.0.0.1", port, isLoopback: true, .version4)
    }

    private static func port(_ digits: Substring) -> UInt16? {
        guard !digits.isEmpty, digits.utf8.allSatisfy({ (48...57).contains($0) }) else {
            return nil
        }
        return UInt16(digits)
    }

    /// Whether a text is a numeric IPv4 or IPv6 address, without brackets.
    public static func isNumeric(_ host: String) -> Bool {
        var isLoopback: Int32 = 0
        return holdfast_address_family(host, &isLoopback) != 0
    }

    /// Whether a host is this machine for certain: `localhost`, or a numeric address of it.
    public static func isLoopback(_ host: String) -> Bool {
        var isLoopback: Int32 = 0
        _ = holdfast_address_family(host, &isLoopback)
        return isLoopback != 0 || host.lowercased() == "localhost"
    }

    /// The same host with another port.
    public func with(port: UInt16) -> SocketAddress {
        path == nil ? SocketAddress(host, port, isLoopback: isLoopback, family) : self
    }

    /// `HOST:PORT`, an IPv6 host in brackets; `unix:PATH`.
    public var description: String {
        if let path { return "unix:" + path }
        return (family == .version6 ? "[\(host)]" : host) + ":\(port)"
    }
}
