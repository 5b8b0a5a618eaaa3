// One line per event on standard error: time, level, event, key=value; or a JSON object of them.
internal import Glibc
internal import Synchronization

/// Writes the process's log.
///
/// Never given the content of a record at `info` or above.
public struct Logger: Sendable {
    /// How much an event matters.
    public enum Level: String, Sendable, CaseIterable, Comparable {
        /// For whoever looks for a fault.
        case debug
        /// What an operator wants to see once.
        case info
        /// Something an operator should look at.
        case warning
        /// Something failed.
        case error

        /// Order of importance.
        public static func < (a: Level, b: Level) -> Bool { a.rank < b.rank }

        fileprivate var rank: Int {
            switch self {
            case .debug: 0
            case .info: 1
            case .warning: 2
            case .error: 3
            }
        }
    }

    /// What a line looks like.
    public enum Format: String, Sendable, CaseIterable {
        /// `TIME LEVEL EVENT name=value ...`, for people.
        case text
        /// One JSON object of texts, for programs: `time`, `level`, `event`, and the facts.
        case json
    }

    /// The level, which all copies of a logger share.
    private final class Threshold: Sendable {
        let rank: Atomic<Int>
        init(_ level: Level) { rank = Atomic(level.rank) }
    }

    private let threshold: Threshold
    private let format: Format
    private let time: any TimeSource
    private let write: @Sendable (String) -> Void

    /// A logger onto standard error.
    public init(level: Level = .info, format: Format = .text, time: any TimeSource = SystemTime()) {
        self.init(level: level, format: format, time: time) { line in
            // One write per line, so that lines of several threads do not mix.
            var line = line
            line.withUTF8 { bytes in _ = Glibc.write(2, bytes.baseAddress, bytes.count) }
        }
    }

    /// A logger onto any sink; a line ends with a newline.
    public init(
        level: Level,
        format: Format = .text,
        time: any TimeSource,
        write: @escaping @Sendable (String) -> Void
    ) {
        threshold = Threshold(level)
        self.format = format
        self.time = time
        self.write = write
    }

    /// Events below this level are not written.
    public var level: Level {
        let rank = threshold.rank.load(ordering: .relaxed)
        return Level.allCases.first { $0.rank == rank } ?? .info
    }

    /// Changes the level of this logger and of all its copies.
    public func setLevel(_ level: Level) { threshold.rank.store(level.rank, ordering: .relaxed) }

    /// Writes one event.
    ///
    /// - Parameters:
    ///   - level: How much it matters.
    ///   - event: A fixed name, words joined by dots.
    ///   - facts: Names and values; what is no plain word is quoted and escaped.
    public func log(_ level: Level, _ event: String, _ facts: KeyValuePairs<String, String> = [:]) {
        guard level.rank >= threshold.rank.load(ordering: .relaxed) else { return }
        let now = Timestamp.text(milliseconds: time.wallMilliseconds())
        var line: String
        switch format {
        case .text:
            line = now + " " + level.rawValue + " " + event
            for (name, value) in facts { line += " " + name + "=" + Self.quoted(value) }
        case .json:
            line = "{\"time\":\"\(now)\",\"level\":\"\(level.rawValue)\",\"event\":\"\(event)\""
            for (name, value) in facts { line += ",\"\(name)\":" + Self.json(value) }
            line += "}"
        }
        write(line + "\n")
    }

    private static func quoted(_ value: String) -> String {
        let plain = !value.isEmpty && value.utf8.allSatisfy { $0 > 32 && $0 != 34 && $0 < 127 }
        guard !plain else { return value }
        var out = "\""
        for scalar in value.unicodeScalars {
            switch scalar {
            case "\"", "\\": out += "\\" + String(scalar)
            case _ where scalar.value < 32 || scalar.value == 127:
                out += "\\u{" + String(scalar.value, radix: 16) + "}"
            default: out.unicodeScalars.append(scalar)
            }
        }
        return out + "\""
    }

    /// A text as a JSON string, in a line of its own whatever it holds.
    ///
    /// Source: RFC 8259, section 7.
    public static func json(_ value: String) -> String {
        var out = "\""
        for scalar in value.unicodeScalars {
            switch scalar {
            case "\"", "\\": out += "\\" + String(scalar)
            case _ where scalar.value < 32 || (127...159).contains(scalar.value):
                let digits = String(scalar.value, radix: 16)
                out += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: out.unicodeScalars.append(scalar)
            }
        }
        return out + "\""
    }
}
