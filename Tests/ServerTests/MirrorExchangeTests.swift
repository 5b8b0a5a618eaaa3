// The worked exchange of openapi/mirror.md, played against the server's own code.
import Foundation
import HoldfastBasics
import HoldfastCommitLog
import HoldfastRecords
import HoldfastServer
import HoldfastStore
import HoldfastTestSupport
import HoldfastWire
import Testing

@Suite struct MirrorExchangeTests {
    /// Writes what is sent as lines of the document.
    private final class Transcript: MirrorOutput {
        var lines: [String] = []
        var hasRoom: Bool { true }
        var isDrained: Bool { true }

        func send(_ message: ByteView) {
            let kind = String(message[0], radix: 16)
            guard case .commits(let contents) = try? MirrorDown(message) else {
                lines.append("< \(kind) \(message.suffix(from: 1).text)")
                return
            }
            let seqs = contents.map(TestMirror.seq).map(String.init).joined(separator: ",")
            let chain = contents.last?.withView { (try? CommitView($0))?.chain }
            lines.append("< \(kind) commits \(seqs) chain \(chain?.description ?? "")")
        }

        func end(_ code: UInt16) { lines.append("< close \(code)") }
    }

    /// The lines of the document's exchange.
    private static func document() throws -> [String] {
        let root = URL(filePath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
        let file = root.appending(path: "openapi/mirror.md")
        let text = try String(contentsOf: file, encoding: .utf8)
        let section = try #require(text.components(separatedBy: "## A worked exchange").last)
        let parts = section.components(separatedBy: "```")
        return try #require(parts.count > 1 ? parts[1] : nil)
            .split(separator: "\n").map(String.init)
    }

    @Test("The document's exchange is the server's, byte for byte")
    func exchange() throws {
        let (disk, time) = (SimulatedDisk(), FakeTime())
        try Store.create(
            on: disk,
            application: "stockroom",
            time: time,
            random: SeededRandom(seed: 11)
        )
        let store = try Store(
            disk: disk,
            application: "stockroom",
            time: time,
            random: SeededRandom(seed: 12),
            logger: Logger(level: .error, time: time) { _ in }
        )
        let define = HoldfastRecords.Operation.defineTree(
            MirrorServerTests.bins,
            TreeDefinition(keys: .name)
        )
        _ = store.submit(
            Change(id: MirrorServerTests.id(1), operations: [define]),
            by: MirrorServerTests.caller
        )
        store.syncStep()
        let transcript = Transcript()
        let peer = MirrorPeer(
            store: store,
            caller: nil,
            heartbeatSeconds: 15,
            time: time,
            logger: Logger(level: .error, time: time) { _ in },
            output: transcript
        )
        let lines = try Self.document()
        for line in lines where !line.hasPrefix("<") {
            transcript.lines.append(line)
            if line == "(15 seconds pass)" {
                peer.beat()
            } else {
                let kind = try #require(UInt8(line.dropFirst(2).prefix(2), radix: 16))
                let message = [kind] + Array(line.dropFirst(5).utf8)
                message.withView(peer.received)
            }
            store.syncStep()
            peer.synced(store.progress)
            peer.advance(store.logReader())
        }
        #expect(transcript.lines == lines, "\(transcript.lines.joined(separator: "\n"))")
        #expect(lines.count > 12)
    }
}
