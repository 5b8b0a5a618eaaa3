// Names of hosts to numeric addresses, on a thread of its own per question: getaddrinfo blocks, and
// cannot be ended.
internal import CHoldfastLibevent
internal import Glibc
internal import HoldfastBasics

/// Asks the system's resolver.
enum Resolver {
    private static let textByteCountMax = 1024

    /// Finds the addresses of a name.
    ///
    /// - Parameters:
    ///   - host: The name.
    ///   - completion: Is given them on another thread, the best first.
    static func resolve(
        _ host: String,
        completion: @escaping @Sendable (Result<[String], NetworkError>) -> Void
    ) {
        Worker.detach { completion(addresses(of: host)) }
    }

    private static func addresses(of host: String) -> Result<[String], NetworkError> {
        // A name with NUL would be cut there.
        guard !host.isEmpty, !host.utf8.contains(0) else {
            return .failure(.unknownHost(host, reason: "it is no name"))
        }
        return withUnsafeTemporaryAllocation(of: CChar.self, capacity: textByteCountMax) { text in
            guard let start = text.baseAddress else { return .success([]) }
            let result = holdfast_resolve(host, start, text.count)
            guard result == 0 else {
                let reason = String(cString: gai_strerror(result))
                return .failure(.unknownHost(host, reason: reason))
            }
            return .success(String(cString: start).split(separator: "\n").map(String.init))
        }
    }
}
