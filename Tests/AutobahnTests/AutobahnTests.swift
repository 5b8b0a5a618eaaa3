// The WebSocket stack against Autobahn's test suite, a peer nobody here wrote. Runs where
// Tests/Autobahn/run has found a Python 2.7 and the suite; that script says so loudly where
// there is none.
import Foundation
import Testing

private let environment = ProcessInfo.processInfo.environment

/// The Python 2.7 to run the suite with, and the folder its packages are in.
private let python = environment["HOLDFAST_AUTOBAHN_PYTHON"]
private let packages = environment["HOLDFAST_AUTOBAHN_PACKAGES"]

/// What the suite says of one case.
private struct Verdict: Decodable {
    let behavior: String
    let behaviorClose: String

    /// Autobahn informs, but does not judge, where the RFC leaves a choice.
    var isGood: Bool {
        let good: Set = ["OK", "INFORMATIONAL"]
        return good.contains(behavior) && good.contains(behaviorClose)
    }
}

@Suite(.serialized, .enabled(if: python != nil && packages != nil))
struct AutobahnTests {
    /// All cases of autobahntestsuite 25.10.1 but those of compression, which is not offered.
    private static let caseCount = 301

    @Test("every case of the Autobahn suite passes, but those of compression")
    func everyCase() throws {
        let folder = FileManager.default.temporaryDirectory
            .appendingPathComponent("holdfast-autobahn-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { #expect(throws: Never.self) { try FileManager.default.removeItem(at: folder) } }
        let server = try EchoServer()
        defer { server.stop() }

        let log = folder.appendingPathComponent("log")
        try Data().write(to: log)
        let suite = Process()
        suite.executableURL = URL(fileURLWithPath: try #require(python))
        suite.arguments = [
            URL(fileURLWithPath: #filePath)
                .deletingLastPathComponent().deletingLastPathComponent()
                .appendingPathComponent("Autobahn/fuzz.py").path,
            try #require(packages), server.url, folder.path,
        ]
        suite.standardOutput = try FileHandle(forWritingTo: log)
        suite.standardError = suite.standardOutput
        try suite.run()
        suite.waitUntilExit()
        let said = String(decoding: try Data(contentsOf: log).suffix(4000), as: UTF8.self)
        try #require(suite.terminationStatus == 0, "the suite did not run: \(said)")

        let index = try Data(contentsOf: folder.appendingPathComponent("index.json"))
        let agents = try JSONDecoder().decode([String: [String: Verdict]].self, from: index)
        let verdicts = try #require(agents.values.first)
        #expect(verdicts.count == Self.caseCount)
        for (name, verdict) in verdicts where !verdict.isGood {
            Issue.record("case \(name): \(verdict.behavior), close: \(verdict.behaviorClose)")
        }
    }
}
