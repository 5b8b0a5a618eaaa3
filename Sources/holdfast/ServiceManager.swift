// What systemd is told of a service of `Type=notify`: datagrams to a socket that it names.
// Source: sd_notify(3), sd_watchdog_enabled(3).
//
// Unsafe, with this argument: address and message are lent to sendto(2) for the call alone, with
// their own length.
internal import Glibc
internal import HoldfastBasics

/// The service manager that started this process, if one did.
struct ServiceManager {
    private let socketPath: String?
    /// Time between two signs of life that are at most half as far apart as it waits for.
    let watchdogMilliseconds: Int?

    /// Finds out who waits for news; what this process starts is not to send any.
    init() {
        socketPath = Self.variable("NOTIFY_SOCKET").flatMap {
            $0.hasPrefix("/") || $0.hasPrefix("@") ? $0 : nil
        }
        let isForUs = Self.variable("WATCHDOG_PID").map { $0 == "\(getpid())" } ?? true
        let micros = Self.variable("WATCHDOG_USEC").flatMap { Int($0) }
        watchdogMilliseconds =
            socketPath != nil && isForUs ? micros.flatMap { $0 > 0 ? max(1, $0 / 2000) : nil } : nil
        for name in ["NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC"] { unsetenv(name) }
    }

    private static func variable(_ name: String) -> String? {
        getenv(name).map { String(cString: $0) }.flatMap { $0.isEmpty ? nil : $0 }
    }

    /// It serves.
    func ready(_ status: String) { send("READY=1\nSTATUS=\(status)\n") }

    /// It reads its settings again; `ready` ends that.
    func reloading() {
        let micros = SystemTime().monotonicNanoseconds() / 1000
        send("RELOADING=1\nMONOTONIC_USEC=\(micros)\n")
    }

    /// It stops, which may take so long.
    func stopping(seconds: Double) {
        // What closing the database takes besides.
        let micros = UInt64((seconds + 30) * 1e6)
        send("STOPPING=1\nSTATUS=Finishing what is under way\nEXTEND_TIMEOUT_USEC=\(micros)\n")
    }

    /// It is alive.
    func alive() { send("WATCHDOG=1\n") }

    /// Sends one datagram; there is nobody to tell that it failed.
    private func send(_ message: String) {
        guard let socketPath else { return }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        var path = Array(socketPath.utf8)
        // An `@` stands for the zero of a name outside the file system.
        if path[0] == UInt8(ascii: "@") { path[0] = 0 }
        guard path.count < MemoryLayout.size(ofValue: address.sun_path) else { return }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path) }
        let length = socklen_t(MemoryLayout<sa_family_t>.size + path.count)
        let descriptor = socket(
            AF_UNIX,
            Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue),
            0
        )
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        let bytes = Array(message.utf8)
        withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                _ = sendto(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL), $0, length)
            }
        }
    }
}
