// Standard output, standard error, and files an operator hands in.
//
// Unsafe, with this argument: buffers are lent to write(2) and read(2) for the call alone, with
// their own length.
internal import Glibc
internal import HoldfastBasics

/// The process's standard streams.
enum Console {
    /// Writes a text on standard output.
    static func print(_ text: String) throws(CommandFailure) {
        let output = Output()
        try output.append(text)
        try output.flush()
    }

    /// Writes a line on standard error; there is nowhere to tell that this failed.
    static func complain(_ text: String) {
        _ = Array((text + "\n").utf8).withView { write($0, to: STDERR_FILENO) }
    }

    /// Writes all bytes.
    ///
    /// Returns 0, or the errno of the write that failed.
    static func write(_ bytes: ByteView, to descriptor: Int32) -> Int32 {
        bytes.withUnsafeBytes { memory in
            var rest = memory[...]
            while !rest.isEmpty {
                let part = UnsafeRawBufferPointer(rebasing: rest)
                let count = Glibc.write(descriptor, part.baseAddress, part.count)
                if count < 0, errno != EINTR { return errno }
                rest = rest.dropFirst(max(0, count))
            }
            return 0
        }
    }
}

/// Buffered standard output.
final class Output {
    private static let flushByteCount = 64 << 10
    private var buffer = ByteBuffer(capacity: 4096)

    func append(_ text: String) throws(CommandFailure) {
        buffer.append(text: text)
        if buffer.count >= Self.flushByteCount { try flush() }
    }

    func append(_ bytes: ByteView) throws(CommandFailure) {
        buffer.append(bytes)
        if buffer.count >= Self.flushByteCount { try flush() }
    }

    func flush() throws(CommandFailure) {
        let failed = Console.write(buffer.view, to: STDOUT_FILENO)
        buffer.removeAll()
        guard failed == 0 else {
            throw CommandFailure(
                .diskFailed,
                "cannot write standard output: " + String(cString: strerror(failed))
            )
        }
    }
}

/// Files named on the command line.
enum InputFile {
    /// All bytes of a file, or of standard input for `-`.
    static func contents(_ path: String, byteCountMax: Int) throws(CommandFailure) -> [UInt8] {
        let descriptor = path == "-" ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw failure(path) }
        defer { if descriptor != STDIN_FILENO { close(descriptor) } }
        var buffer = ByteBuffer()
        while buffer.count <= byteCountMax {
            var count = 0
            buffer.appendUnsafe(64 << 10) { memory in
                count = read(descriptor, memory.baseAddress, memory.count)
                return max(0, count)
            }
            if count < 0, errno != EINTR { throw failure(path) }
            if count == 0 { return buffer.array }
        }
        let name = path == "-" ? "standard input" : path
        throw CommandFailure(.refused, "too-large: \(name) is longer than \(byteCountMax) bytes")
    }

    private static func failure(_ path: String) -> CommandFailure {
        let reason = String(cString: strerror(errno))
        return CommandFailure(.notFound, "cannot read \(path): \(reason)")
    }
}

/// Text from others, safe to show on a terminal: control characters are written as `\u{..}`.
func printable(_ text: String) -> String {
    var out = ""
    for scalar in text.unicodeScalars {
        if scalar.value < 32 || (127...159).contains(scalar.value) {
            out += "\\u{" + String(scalar.value, radix: 16) + "}"
        } else {
            out.unicodeScalars.append(scalar)
        }
    }
    return out
}
