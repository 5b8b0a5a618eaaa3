// What tests do with bare sockets.
internal import Glibc

/// Sends all bytes on a connected socket.
///
/// - Returns: False when the peer does not take them.
@discardableResult
public func sendAll(_ bytes: [UInt8], on descriptor: Int32) -> Bool {
    var sent = 0
    while sent < bytes.count {
        let count = bytes[sent...].withUnsafeBytes {
            Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
        }
        guard count > 0 else { return false }
        sent += count
    }
    return true
}
