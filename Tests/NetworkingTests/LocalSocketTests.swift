// Listening on a path of the file system.
import Foundation
import Glibc
import HoldfastBasics
import HoldfastNetworking
import HoldfastTestSupport
import Testing

@Suite(.serialized) struct LocalSocketTests {
    /// A folder whose path is short enough for a socket's.
    private static func folder() throws -> String {
        var template = Array("/tmp/hf-socket-XXXXXX".utf8CString)
        let made = try #require(mkdtemp(&template))
        return String(cString: made)
    }

    private static func mode(_ path: String) -> UInt32? {
        var status = stat()
        return lstat(path, &status) == 0 ? status.st_mode & 0o777 : nil
    }

    /// Listens while `body` runs.
    private static func listening(
        at path: String,
        _ options: Listener.Options = Listener.Options(),
        _ body: (Listener) throws -> Void
    ) throws {
        let loops = [try EventLoop(), try EventLoop()]
        defer {
            for loop in loops { loop.stop() }
            for loop in loops { loop.join() }
        }
        let record = Record(Seen())
        let address = try SocketAddress("unix:" + path)
        let listener = try Listener(on: address, loops: loops, options: options) { _ in
            Probe(record)
        }
        defer { listener.close() }
        try body(listener)
    }

    @Test("A socket has its mode, and is gone with its listener")
    func life() throws {
        let folder = try Self.folder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let path = folder + "/s"
        var options = Listener.Options()
        options.socketMode = 0o600
        try Self.listening(at: path, options) { listener in
            #expect(listener.address.description == "unix:" + path)
            #expect(Self.mode(path) == 0o600)
        }
        #expect(Self.mode(path) == nil)
    }

    @Test("A socket somebody listens on is in use; one that a killed server left is replaced")
    func stale() throws {
        let folder = try Self.folder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let path = folder + "/s"
        let address = try SocketAddress("unix:" + path)
        try Self.listening(at: path) { _ in
            #expect(throws: NetworkError.addressInUse(address)) {
                try Self.listening(at: path) { _ in }
            }
            #expect(Self.mode(path) != nil)
            // Moved away, it is not the one that stands there when its listener ends.
            #expect(rename(path, folder + "/moved") == 0)
            try Self.listening(at: path) { _ in }
        }
        // What stands at `moved` answers nobody any more.
        #expect(rename(folder + "/moved", path) == 0)
        try Self.listening(at: path) { _ in #expect(Self.mode(path) == 0o660) }
    }

    @Test("A file that is no socket is left alone")
    func otherFile() throws {
        let folder = try Self.folder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let path = folder + "/letter"
        try Data("dear".utf8).write(to: URL(filePath: path))
        let address = try SocketAddress("unix:" + path)
        #expect(throws: NetworkError.cannotListen(address, errno: EEXIST)) {
            try Self.listening(at: path) { _ in }
        }
        #expect(try Data(contentsOf: URL(filePath: path)) == Data("dear".utf8))
    }

    @Test("Only whole paths that fit are addresses")
    func addresses() throws {
        let long = "/" + String(repeating: "x", count: SocketAddress.pathByteCountMax - 1)
        #expect(try SocketAddress("unix:" + long).path == long)
        for text in ["unix:", "unix:relative", "unix:" + long + "x"] {
            #expect(throws: NetworkError.badAddress(text)) { try SocketAddress(text) }
        }
    }
}
