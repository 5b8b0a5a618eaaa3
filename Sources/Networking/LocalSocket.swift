// Listening on a path of the file system: whom a file there belongs to, and who removes it.
//
// Invariants:
// - a file that is no socket, or whose server answers, is never removed;
// - the socket a listener made is removed by it, unless another stands there by then.
internal import CHoldfastLibevent
internal import Glibc

/// A socket in the file system that a listener has made.
struct LocalSocket {
    private let path: String
    private var device: UInt64 = 0
    private var inode: UInt64 = 0

    /// Listens at a path.
    ///
    /// - Returns: The descriptor, and what stands in the file system.
    /// - Throws: `addressInUse` when somebody listens there; `cannotListen`.
    static func listen(
        _ address: SocketAddress,
        _ path: String,
        _ options: Listener.Options
    ) throws(NetworkError) -> (descriptor: Int32, socket: LocalSocket) {
        func bind() -> Int32 {
            holdfast_listen_local(
                path,
                options.socketMode,
                options.backlogCount,
                options.sendBufferByteCount
            )
        }
        var result = bind()
        if result == -EADDRINUSE {
            try removeStale(address, path)
            result = bind()
        }
        if result == -EADDRINUSE { throw .addressInUse(address) }
        guard result >= 0 else { throw .cannotListen(address, errno: -result) }
        var socket = LocalSocket(path: path)
        _ = holdfast_is_socket(path, &socket.device, &socket.inode)
        return (result, socket)
    }

    private init(path: String) { self.path = path }

    /// Removes what a server left that was killed: a socket where nobody listens.
    private static func removeStale(
        _ address: SocketAddress,
        _ path: String
    ) throws(NetworkError) {
        var (device, inode): (UInt64, UInt64) = (0, 0)
        guard holdfast_is_socket(path, &device, &inode) == 1 else {
            throw .cannotListen(address, errno: EEXIST)
        }
        let peer = holdfast_connect_local(path)
        if peer >= 0 { Glibc.close(peer) }
        guard peer == -ECONNREFUSED else { throw .addressInUse(address) }
        guard unlink(path) == 0 || errno == ENOENT else {
            throw .cannotListen(address, errno: errno)
        }
    }

    /// Removes the file, when it is still the one that was made.
    func remove() {
        var (device, inode): (UInt64, UInt64) = (0, 0)
        guard holdfast_is_socket(path, &device, &inode) == 1, device == self.device,
            inode == self.inode
        else { return }
        unlink(path)
    }
}
