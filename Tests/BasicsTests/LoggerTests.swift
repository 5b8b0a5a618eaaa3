// Both logs: lines of text or JSON, levels that change, and files that are moved away.
import Foundation
import HoldfastBasics
import HoldfastTestSupport
import Testing

@Suite struct LoggerTests {
    /// A logger, and what it has written.
    private static func logger(
        _ format: Logger.Format,
        level: Logger.Level = .info
    ) -> (Logger, Lock<[String]>) {
        let lines = Lock<[String]>([])
        let logger = Logger(level: level, format: format, time: FakeTime()) { line in
            lines.withLock { $0.append(line) }
        }
        return (logger, lines)
    }

    @Test("A line of JSON is one object of texts, whatever the facts hold")
    func json() throws {
        let (logger, lines) = Self.logger(.json)
        let wild = "a \"b\" \\ \n\u{7f}\u{85}\u{0} \u{e9}\u{1F600}"
        logger.log(.warning, "disk.slow", ["file": wild, "empty": ""])
        let line = try #require(lines.withLock { $0.first })
        #expect(line.hasSuffix("}\n"))
        #expect(line.dropLast().unicodeScalars.allSatisfy { $0.value >= 32 })
        let found = try JSONDecoder().decode([String: String].self, from: Data(line.utf8))
        #expect(found["level"] == "warning")
        #expect(found["event"] == "disk.slow")
        #expect(found["file"] == wild)
        #expect(found["empty"] == "")
        #expect(found["time"]?.hasSuffix("Z") == true)
        #expect(found.count == 5)
    }

    @Test("A level that is set holds for every copy of a logger, at once")
    func level() {
        let (logger, lines) = Self.logger(.text, level: .warning)
        let copy = logger
        copy.log(.info, "first")
        logger.setLevel(.debug)
        #expect(copy.level == .debug)
        copy.log(.debug, "second")
        logger.setLevel(.error)
        copy.log(.warning, "third")
        copy.log(.error, "fourth")
        let events = lines.withLock { $0.map { $0.split(separator: " ")[2].dropLast() } }
        #expect(events == ["second", "fourth"])
    }
}

@Suite struct LogFileTests {
    @Test("Lines are written whole, in order, and go on in a new file when the old one was moved")
    func reopen() throws {
        let folder = NSTemporaryDirectory() + "holdfast-log-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let path = folder + "/log"
        let file = try LogFile(path: path)
        func add(_ number: Int) { Array("line \(number)\n".utf8).withView { file.append($0) } }
        for number in 0..<1000 { add(number) }
        let deadline = Date.now.addingTimeInterval(20)
        func text(_ path: String) -> String {
            (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
        }
        while !text(path).hasSuffix("line 999\n"), Date.now < deadline { usleep(1000) }
        try FileManager.default.moveItem(atPath: path, toPath: path + ".1")
        try file.reopen()
        add(1000)
        // A folder that is gone: it goes on where it is.
        try FileManager.default.moveItem(atPath: folder, toPath: folder + "-moved")
        defer { try? FileManager.default.removeItem(atPath: folder + "-moved") }
        #expect(throws: LogFileError.self) { try file.reopen() }
        add(1001)
        file.close()
        add(1002)
        let before = (0..<1000).map { "line \($0)\n" }.joined()
        #expect(text(folder + "-moved/log.1") == before)
        #expect(text(folder + "-moved/log") == "line 1000\nline 1001\n")
        #expect(file.droppedCount == 1)
    }

    @Test("Lines a disk refuses are dropped and counted, and whoever has more does not wait")
    func full() throws {
        let file = try LogFile(path: "/dev/full")
        Array("a\nb\n".utf8).withView { file.append($0) }
        let deadline = Date.now.addingTimeInterval(20)
        while file.droppedCount < 2, Date.now < deadline { usleep(1000) }
        #expect(file.droppedCount == 2)
        file.close()
    }
}
