// Why the network cannot be used as asked.
internal import Glibc

/// A failure of setting something up; what happens to one connection is told by `CloseReason`.
public enum NetworkError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The text is not `HOST:PORT` with a numeric host or `localhost`.
    case badAddress(String)
    /// Another process listens there.
    case addressInUse(SocketAddress)
    /// Listening failed with this errno.
    case cannotListen(SocketAddress, errno: Int32)
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
        case .cannotMakeLoop(let errno):
            "cannot make an event loop: \(errorText(errno))"
        }
    }
}

/// The system's words for an errno.
func errorText(_ errno: Int32) -> String { String(cString: strerror(errno)) }
