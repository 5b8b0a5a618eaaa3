// Where the client commands find their server: `http://`, `https://`, or a Unix socket as
// `unix:/path` or `http+unix://` with the path percent-encoded or plain.
internal import HoldfastBasics
internal import HoldfastHTTP
internal import HoldfastNetworking

/// The server of `--url`.
enum ServerURL: CustomStringConvertible {
    case network(ServerAddress)
    /// The path of a Unix socket.
    case local(String)

    /// Reads a URL; nil when it is none of these.
    init?(_ text: String) {
        let scheme = "http+unix://"
        var path: String?
        if text.hasPrefix("unix:") {
            path = String(text.dropFirst(5))
        } else if text.lowercased().hasPrefix(scheme) {
            path = Array(text.dropFirst(scheme.count).utf8).withView {
                try? PercentEncoding.text($0)
            }
        }
        if let path {
            guard let address = try? SocketAddress("unix:" + path) else { return nil }
            self = .local(address.path ?? path)
        } else {
            guard let address = ServerAddress(text) else { return nil }
            self = .network(address)
        }
    }

    var isSecure: Bool {
        if case .network(let address) = self { address.isSecure } else { false }
    }

    /// Whether nobody is on the way there.
    var isLoopback: Bool {
        switch self {
        case .network(let address): SocketAddress.isLoopback(address.host)
        case .local: true
        }
    }

    /// The value of Host.
    var authority: String {
        if case .network(let address) = self { address.authority } else { "localhost" }
    }

    var description: String {
        switch self {
        case .network(let address): address.description
        case .local(let path): "unix:" + path
        }
    }
}
