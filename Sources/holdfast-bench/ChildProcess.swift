// Other programs: the server measured, its peers, and the makers of load.
internal import Foundation

/// A program that runs beside this one; whoever starts it ends it.
final class ChildProcess {
    private let process = Process()
    private let output = Pipe()
    private let name: String

    /// Starts a program.
    ///
    /// - Parameters:
    ///   - path: The program.
    ///   - arguments: Its arguments.
    ///   - isQuiet: What it says on standard error is not for whoever reads the figures.
    /// - Throws: What keeps it from starting.
    init(_ path: String, _ arguments: [String], isQuiet: Bool = false) throws {
        name = (path as NSString).lastPathComponent
        process.executableURL = URL(fileURLWithPath: path)
        process.arguments = arguments
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = output
        process.standardError = isQuiet ? FileHandle.nullDevice : FileHandle.standardError
        try process.run()
    }

    /// The program's path, as a shell would find it; nil when it is not installed.
    static func find(_ name: String) -> String? {
        let path = ProcessInfo.processInfo.environment["PATH"] ?? ""
        let folders = path.split(separator: ":").map(String.init) + ["/usr/sbin", "/sbin"]
        return folders.map { $0 + "/" + name }
            .first { FileManager.default.isExecutableFile(atPath: $0) }
    }

    /// A program of this product, built beside this one.
    static func beside(_ name: String) throws -> String {
        let own = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        let path = (own as NSString).deletingLastPathComponent + "/" + name
        guard FileManager.default.isExecutableFile(atPath: path) else {
            throw BenchError("\(path) is missing: swift build -c release --product \(name)")
        }
        return path
    }

    /// Waits for the first line of output.
    func firstLine() throws -> String {
        var bytes: [UInt8] = []
        while let byte = output.fileHandleForReading.readData(ofLength: 1).first {
            if byte == UInt8(ascii: "\n") { return String(decoding: bytes, as: UTF8.self) }
            bytes.append(byte)
        }
        throw BenchError("\(name) ended before it was ready")
    }

    /// Waits for the end, and gives all output.
    func finish() throws -> String {
        let bytes = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw BenchError("\(name) ended with \(process.terminationStatus)")
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Asks it to end, and waits.
    func stop() {
        process.terminate()
        process.waitUntilExit()
    }

    /// Processor time it has used, all its threads, in user and system mode.
    ///
    /// Unit: seconds, in steps of a clock tick (10 ms). Source: proc(5), /proc/PID/stat.
    func processorSeconds() throws -> Double {
        let path = "/proc/\(process.processIdentifier)/stat"
        let text = try String(contentsOfFile: path, encoding: .utf8)
        // The second field is the name in parentheses and may hold blanks.
        guard let end = text.lastIndex(of: ")") else { throw BenchError("\(path): no name") }
        let fields = text[text.index(after: end)...].split(separator: " ")
        guard fields.count > 12, let user = Double(fields[11]), let system = Double(fields[12])
        else { throw BenchError("\(path): too short") }
        return (user + system) / Double(sysconf(Int32(_SC_CLK_TCK)))
    }

    /// Memory that is no file's, of this process alone.
    ///
    /// Unit: bytes. Source: proc(5), /proc/PID/status, RssAnon.
    func anonymousByteCount() throws -> Int {
        let path = "/proc/\(process.processIdentifier)/status"
        let text = try String(contentsOfFile: path, encoding: .utf8)
        guard let line = text.split(separator: "\n").first(where: { $0.hasPrefix("RssAnon:") }),
            let number = line.split(whereSeparator: \.isWhitespace).dropFirst().first,
            let kilobytes = Int(number)
        else { throw BenchError("\(path): no RssAnon") }
        return kilobytes << 10
    }
}
