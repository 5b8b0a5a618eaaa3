// Why the network cannot be used as asked.
internal import Glibc

/// A failure of setting something up; what happens to a connection that stands is told by
/// `CloseReason`.
public enum NetworkError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The text is not `HOST:PORT` with a numeric host or `localhost`.
    case badAddress(String)
    /// Another process listens there.
    case addressInUse(SocketAddress)
    /// Listening failed with this errno.
    case cannotListen(SocketAddress, errno: Int32)
    /// A name has no address, for the system's reason.
    case unknownHost(String, reason: String)
    /// No address of a host took the connection; the last one failed with this errno.
    case unreachable(String, errno: Int32)
    /// The connection was made, but not a secure one.
    case insecure(String, TLSError)
    /// The connection was not made in time.
    case connectTimeout(String)
    /// The loop ended, or the attempt was cancelled.
    case stopped
    /// A loop could not be made, for want of descriptors or memory.
    case cannotMakeLoop(errno: Int32)

    /// The failure in plain words.
    public var description: String {
        switch self {
        case .badAddress(let text):
            "'\(text)' is not HOST:PORT; HOST is a numeric address, [IPv6] or localhost"
        case .addressInUse(let address):
            "another process listens on \(address)"
        case .cannotListen(let address, let errno):
            "cannot listen on \(address): \(errorText(errno))"
        case .unknownHost(let host, let reason):
            "the name \(host) has no address: \(reason)"
        case .unreachable(let host, let errno):
            "cannot connect to \(host): \(errorText(errno))"
        case .insecure(let host, let error):
            "no secure connection to \(host): \(error)"
        case .connectTimeout(let host):
            "no connection to \(host) in time"
        case .stopped:
            "the attempt to connect was given up"
        case .cannotMakeLoop(let errno):
            "cannot make an event loop: \(errorText(errno))"
        }
    }
}

/// The system's words for an errno.
func errorText(_ errno: Int32) -> String { String(cString: strerror(errno)) }
