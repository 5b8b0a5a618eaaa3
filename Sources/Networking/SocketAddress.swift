// Where to listen: a numeric address and a port. Names are not resolved, so that nothing blocks and
// nothing surprises.
internal import CHoldfastLibevent

/// A numeric IPv4 or IPv6 address with a port.
public struct SocketAddress: Sendable, Equatable, CustomStringConvertible {
    /// The address without brackets.
    public let host: String
    /// The port; 0 lets the system choose.
    public let port: UInt16
    /// Whether only this machine can reach it.
    public let isLoopback: Bool
    private let isIPv6: Bool

    /// Reads `127.0.0.1:8080`, `[::1]:8080` or `localhost:8080`.
    ///
    /// - Throws: `badAddress`.
    public init(_ text: String) throws(NetworkError) {
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
        self.init(host, port, isLoopback: isLoopback != 0, isIPv6: isBracketed)
    }

    private init(_ host: String, _ port: UInt16, isLoopback: Bool, isIPv6: Bool) {
        self.host = host
        self.port = port
        self.isLoopback = isLoopback
        self.isIPv6 = isIPv6
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
        SocketAddress(host, port, isLoopback: isLoopback, isIPv6: isIPv6)
    }

    /// `HOST:PORT`, an IPv6 host in brackets.
    public var description: String { (isIPv6 ? "[\(host)]" : host) + ":\(port)" }
}
