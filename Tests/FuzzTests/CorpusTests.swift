// The fuzzers' inputs, run without them: what once was found stays mended.
import Foundation
import HoldfastBasics
import HoldfastTestSupport
import Testing

@Suite struct CorpusTests {
    static let corpus = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().appendingPathComponent("Fixtures/fuzz")

    /// Where inputs made by the product are to be written, a folder for each target.
    private static let seeds = ProcessInfo.processInfo.environment["HOLDFAST_WRITE_CORPUS"]

    private func inputs(_ target: FuzzTarget) throws -> [(name: String, bytes: [UInt8])] {
        let folder = Self.corpus.appendingPathComponent(target.rawValue)
        return try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted().map {
            ($0, [UInt8](try Data(contentsOf: folder.appendingPathComponent($0))))
        }
    }

    @Test("Every input of the corpus keeps the decoder's promises", arguments: FuzzTarget.allCases)
    func replay(target: FuzzTarget) throws {
        let inputs = try inputs(target)
        #expect(!inputs.isEmpty)
        for input in inputs {
            #expect(throws: Never.self, "\(target)/\(input.name)") { try target.run(input.bytes) }
        }
    }

    @Test("So do inputs the product makes, cut anywhere and with any byte changed")
    func made() throws {
        let random = SeededRandom(seed: Seed.chosen ?? 1)
        for (target, inputs) in try CorpusSeeds.all() {
            for input in inputs {
                try target.run(input)
                for _ in 0..<6 {
                    var other = input
                    other[random.below(other.count)] = UInt8(truncatingIfNeeded: random.next())
                    for some in [other, Array(other.prefix(1 + random.below(other.count)))] {
                        #expect(throws: Never.self, "\(target): \(some)") { try target.run(some) }
                    }
                }
            }
        }
    }

    @Test(
        "Inputs the product makes are written",
        .enabled(if: seeds != nil, "HOLDFAST_WRITE_CORPUS names a folder")
    )
    func write() throws {
        let root = URL(fileURLWithPath: try #require(Self.seeds))
        for (target, inputs) in try CorpusSeeds.all() {
            let folder = root.appendingPathComponent(target.rawValue)
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            for (number, input) in inputs.enumerated() {
                try Data(input).write(to: folder.appendingPathComponent("made-\(number)"))
            }
        }
    }
}
