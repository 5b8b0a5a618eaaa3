// What the operating system knows of this process. Linux; elsewhere what is not known is left out.
// Source: proc(5), getrusage(2), getrlimit(2).
//
// Unsafe, with this argument: buffers and structures are lent to the system for the call alone.
internal import Glibc

/// A look at the process.
public struct ProcessStatus: Sendable {
    /// User and system time.
    ///
    /// Unit: seconds.
    public let cpuSeconds: Double
    /// Memory it has in RAM.
    public let residentByteCount: Int?
    /// Addresses it has taken.
    public let virtualByteCount: Int?
    /// Descriptors it has open.
    public let descriptorCount: Int?
    /// Most descriptors it may have open.
    public let descriptorCountMax: Int
    /// When it was started.
    ///
    /// Unit: seconds since 1970.
    public let startSeconds: Double?

    /// RUSAGE_SELF and RLIMIT_NOFILE, which the importer gives other types than the calls take.
    private static let thisProcess: Int32 = 0
    private static let openFiles: Int32 = 7

    /// Looks now.
    public init() {
        var usage = rusage()
        _ = getrusage(Self.thisProcess, &usage)
        cpuSeconds =
            Double(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec)
            + Double(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6
        var limit = rlimit()
        _ = getrlimit(__rlimit_resource_t(UInt32(Self.openFiles)), &limit)
        descriptorCountMax = Int(clamping: limit.rlim_cur)
        descriptorCount = Self.descriptors()
        // Behind the name in parentheses, which may hold anything; the first there is the third.
        let fields = Self.text("/proc/self/stat")?.split(separator: ")").last?.split(separator: " ")
        guard let fields, fields.count > 21, let ticks = Double(fields[19]),
            let pages = Int(fields[21])
        else {
            (residentByteCount, virtualByteCount, startSeconds) = (nil, nil, nil)
            return
        }
        residentByteCount = pages * sysconf(Int32(_SC_PAGESIZE))
        virtualByteCount = Int(fields[20])
        startSeconds = Self.bootSeconds.map { $0 + ticks / Double(sysconf(Int32(_SC_CLK_TCK))) }
    }

    /// Seconds since 1970 at which the machine was started.
    private static let bootSeconds: Double? = {
        let line = text("/proc/stat")?.split(separator: "\n").first { $0.hasPrefix("btime ") }
        return line.flatMap { Double($0.dropFirst(6)) }
    }()

    private static func descriptors() -> Int? {
        guard let folder = opendir("/proc/self/fd") else { return nil }
        defer { closedir(folder) }
        var count = 0
        while readdir(folder) != nil { count += 1 }
        // Without `.`, `..` and the folder's own.
        return count - 3
    }

    /// The beginning of a file that the system makes when it is read.
    private static func text(_ path: String) -> String? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var part = [UInt8](repeating: 0, count: 16 << 10)
        while bytes.count < 1 << 20 {
            let count = read(descriptor, &part, part.count)
            guard count > 0 else { break }
            bytes += part[..<count]
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
