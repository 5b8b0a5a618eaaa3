// The table, printed row by row as the measures end, and the lines of JSON.
internal import Foundation

/// Gathers and prints what was measured.
final class Report {
    private let options: Options
    private var measurements: [Measurement] = []
    private(set) var hasFailed = false

    init(_ options: Options) {
        self.options = options
        #if DEBUG
        let build = "DEBUG BUILD: these figures say nothing, build with -c release"
        #else
        let build = "release build"
        #endif
        let mode = options.isQuick ? "quick, " : ""
        Self.say("holdfast-bench: \(mode)\(build); \(Machine.text)")
        Self.say(Self.row("measure", "median", "min", "max", "unit", "peer", "ratio"))
    }

    func add(_ measurement: Measurement) {
        measurements.append(measurement)
        let peer =
            switch measurement.peer {
            case .none(let reason): "none: \(reason)"
            case .measured(let name, _):
                "\(name) \(Measurement.text(measurement.peerValue ?? 0))"
            }
        Self.say(
            Self.row(
                measurement.measure,
                Measurement.text(measurement.value),
                Measurement.text(measurement.rounds.min() ?? 0),
                Measurement.text(measurement.rounds.max() ?? 0),
                measurement.unit,
                peer,
                measurement.ratio.map { String(format: "%.2f", $0) } ?? "-"
            )
        )
    }

    func fail(_ family: String, _ reason: String) {
        hasFailed = true
        Benchmark.complain("\(family): not measured: \(reason)")
    }

    /// Writes the lines of JSON, to the file or below the table.
    func finish() throws {
        let lines = try measurements.map { try $0.json(machine: Machine.text) }
        let text = lines.joined(separator: "\n")
        if let path = options.jsonPath {
            try (text + "\n").write(toFile: path, atomically: true, encoding: .utf8)
        } else {
            Self.say("\n" + text)
        }
    }

    /// Writes a line at once, also into a pipe.
    private static func say(_ line: String) {
        FileHandle.standardOutput.write(Data((line + "\n").utf8))
    }

    private static func row(
        _ measure: String,
        _ median: String,
        _ min: String,
        _ max: String,
        _ unit: String,
        _ peer: String,
        _ ratio: String
    ) -> String {
        func left(_ text: String, _ width: Int) -> String {
            text.padding(toLength: Swift.max(width, text.count), withPad: " ", startingAt: 0)
        }
        func right(_ text: String, _ width: Int) -> String {
            String(repeating: " ", count: Swift.max(0, width - text.count)) + text
        }
        return left(measure, 26) + right(median, 9) + right(min, 9) + right(max, 9) + "  "
            + left(unit, 14) + right(ratio, 6) + "  " + peer
    }
}

/// The machine the figures belong to.
enum Machine {
    static let text = "\(count) x \(processor), \(kernel)"

    private static var count: Int { ProcessInfo.processInfo.activeProcessorCount }

    private static var processor: String {
        guard let text = try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8),
            let line = text.split(separator: "\n").first(where: { $0.hasPrefix("model name") }),
            let name = line.split(separator: ":").last
        else { return "unknown processor" }
        return name.trimmingCharacters(in: .whitespaces)
    }

    private static var kernel: String {
        var names = utsname()
        guard uname(&names) == 0 else { return "unknown kernel" }
        let release = withUnsafeBytes(of: names.release) { bytes in
            String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
        return "Linux \(release)"
    }
}
