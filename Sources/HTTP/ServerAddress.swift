// Where a server is, as people write it: `http://host:port`. Source: RFC 3986, section 3; RFC 9110,
// section 4.2.

/// The address of a server.
public struct ServerAddress: Hashable, Sendable, CustomStringConvertible {
    /// Whether the connection is to be encrypted.
    public let isSecure: Bool
    /// A name or a numeric address, an IPv6 one without brackets.
    public let host: String
    /// The port.
    public let port: UInt16

    /// Reads `http://HOST[:PORT][/]` or `https://...`; anything else is nil.
    ///
    /// A path, a query, user information and names outside of letters, digits, dots, hyphens and
    /// underscores are refused: they would be silently left out.
    public init?(_ text: String) {
        var rest: Substring
        if text.lowercased().hasPrefix("http://") {
            isSecure = false
            rest = text.dropFirst(7)
        } else if text.lowercased().hasPrefix("https://") {
            isSecure = true
            rest = text.dropFirst(8)
        } else {
            return nil
        }
        if rest.hasSuffix("/") { rest = rest.dropLast() }
        var port: Substring?
        if rest.hasPrefix("[") {
            guard let end = rest.firstIndex(of: "]") else { return nil }
            let host = rest[rest.index(after: rest.startIndex)..<end]
            guard host.contains(":"), host.utf8.allSatisfy(Self.isAddressByte) else { return nil }
            self.host = String(host)
            rest = rest[rest.index(after: end)...]
            guard rest.isEmpty || rest.hasPrefix(":") else { return nil }
            if !rest.isEmpty { port = rest.dropFirst() }
        } else {
            let parts = rest.split(separator: ":", omittingEmptySubsequences: false)
            guard (1...2).contains(parts.count), !parts[0].isEmpty, parts[0].utf8.count <= 253,
                parts[0].utf8.allSatisfy(Self.isNameByte)
            else { return nil }
            host = String(parts[0])
            if parts.count == 2 { port = parts[1] }
        }
        guard let port else {
            self.port = isSecure ? 443 : 80
            return
        }
        guard !port.isEmpty, port.utf8.allSatisfy(ASCII.isDigit), let number = UInt16(port),
            number > 0
        else { return nil }
        self.port = number
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        ASCII.isLetter(byte) || ASCII.isDigit(byte) || byte == UInt8(ascii: ".")
            || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_")
    }

    private static func isAddressByte(_ byte: UInt8) -> Bool {
        ASCII.hexadecimal(byte) != nil || byte == ASCII.colon || byte == UInt8(ascii: ".")
    }

    /// `HOST:PORT`, an IPv6 host in brackets: the value of Host.
    public var authority: String { (host.contains(":") ? "[\(host)]" : host) + ":\(port)" }

    /// `http://HOST:PORT`.
    public var description: String { (isSecure ? "https://" : "http://") + authority }
}
