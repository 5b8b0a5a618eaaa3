// A file that lines are added to, by a thread of its own: who has a line never waits for a disk.
//
// Invariants:
// - lines are written whole and in the order in which they were added, each once;
// - what waits is bounded: lines that do not fit are dropped and counted;
// - a descriptor stays the same number over its life, so that nobody writes to one that is closed.
internal import Glibc
internal import Synchronization

/// A log file cannot be opened.
public struct LogFileError: Error, CustomStringConvertible {
    /// Its path.
    public let path: String
    /// The reason of the system.
    public let errno: Int32

    /// The failure in plain words.
    public var description: String {
        "cannot open \(path) to add to it: \(String(cString: strerror(errno)))"
    }
}

/// A file of lines.
public final class LogFile: Sendable {
    private struct State {
        var waiting: [UInt8] = []
        var isClosing = false
        var worker: Worker?
    }

    /// Its path; `-` is standard output.
    public let path: String
    private let descriptor: Int32
    private let state = Condition(State())
    private let dropped = Atomic<UInt64>(0)

    /// Most bytes that wait for the disk.
    private static let waitingByteCountMax = 8 << 20

    /// Opens a file, making it when it is not there, for its owner and group to read.
    ///
    /// - Parameter path: Where; `-` is standard output.
    /// - Throws: When it cannot be opened.
    public init(path: String) throws(LogFileError) {
        self.path = path
        descriptor = try Self.open(path)
        let worker = Worker { [self] in run() }
        state.withLock { $0.worker = worker }
    }

    private static func open(_ path: String) throws(LogFileError) -> Int32 {
        let result =
            path == "-"
            ? fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0)
            : Glibc.open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o640)
        guard result >= 0 else { throw LogFileError(path: path, errno: errno) }
        return result
    }

    /// Lines that were dropped because the disk was too slow, or refused them.
    public var droppedCount: UInt64 { dropped.load(ordering: .relaxed) }

    /// Adds a line; it is written soon.
    ///
    /// - Parameter line: With its newline.
    public func append(_ line: ByteView) {
        let isTaken = state.signal { state in
            guard !state.isClosing,
                state.waiting.count + line.count <= Self.waitingByteCountMax
            else { return false }
            line.withUnsafeBytes { state.waiting.append(contentsOf: $0) }
            return true
        }
        if !isTaken { dropped.add(1, ordering: .relaxed) }
    }

    /// Goes on in a new file of the same path, after somebody has moved the old one away.
    ///
    /// - Throws: When it cannot be opened; it goes on in the old one then.
    public func reopen() throws(LogFileError) {
        guard path != "-" else { return }
        let other = try Self.open(path)
        defer { Glibc.close(other) }
        guard dup2(other, descriptor) >= 0, fcntl(descriptor, F_SETFD, FD_CLOEXEC) >= 0 else {
            throw LogFileError(path: path, errno: errno)
        }
    }

    /// Writes what waits, and ends; called once.
    public func close() {
        let worker = state.signal { state in
            state.isClosing = true
            return state.worker
        }
        worker?.join()
        Glibc.close(descriptor)
    }

    private func run() {
        while true {
            let (lines, isClosing) = state.wait(until: { $0.isClosing || !$0.waiting.isEmpty }) {
                state in
                defer { state.waiting = [] }
                return (state.waiting, state.isClosing)
            }
            if !lines.isEmpty, !write(lines) {
                dropped.add(UInt64(lines.count { $0 == 10 }), ordering: .relaxed)
            }
            if isClosing { return }
        }
    }

    private func write(_ lines: [UInt8]) -> Bool {
        lines.withUnsafeBytes { memory in
            var rest = memory[...]
            while !rest.isEmpty {
                let part = UnsafeRawBufferPointer(rebasing: rest)
                let count = Glibc.write(descriptor, part.baseAddress, part.count)
                if count < 0, errno != EINTR { return false }
                rest = rest.dropFirst(max(0, count))
            }
            return true
        }
    }
}
