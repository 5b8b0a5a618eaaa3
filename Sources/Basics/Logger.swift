// One line per event on standard error: time, level, event, key=value.
internal import Glibc

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

        private var rank: Int { Self.allCases.firstIndex(of: self) ?? 0 }
    }

    /// Events below this level are not written.
    public let level: Level
    private let time: any TimeSource
    private let write: @Sendable (String) -> Void

    /// A logger onto standard error.
    public init(level: Level = .info, time: any TimeSource = SystemTime()) {
        self.init(level: level, time: time) { line in
            // One write per line, so that lines of several threads do not mix.
            var line = line
            line.withUTF8 { bytes in _ = Glibc.write(2, bytes.baseAddress, bytes.count) }
        }
    }

    /// A logger onto any sink; a line ends with a newline.
    public init(
        level: Level,
        time: any TimeSource,
        write: @escaping @Sendable (String) -> Void
    ) {
        self.level = level
        self.time = time
        self.write = write
    }

    /// Writes one event.
    ///
    /// - Parameters:
    ///   - level: How much it matters.
    ///   - event: A fixed name, words joined by dots.
    ///   - facts: Names and values; a value with blanks or quotes is quoted and escaped.
    public func log(_ level: Level, _ event: String, _ facts: KeyValuePairs<String, String> = [:]) {
        guard level >= self.level else { return }
        var line = Timestamp.text(milliseconds: time.wallMilliseconds())
        line += " " + level.rawValue + " " + event
        for (name, value) in facts { line += " " + name + "=" + Self.quoted(value) }
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
}
