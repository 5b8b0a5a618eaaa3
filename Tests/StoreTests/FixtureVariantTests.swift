// The other databases of formats 1 and 2: each is opened, and holds what it held, byte by byte.
import Foundation
import HoldfastBasics
import HoldfastEngine
import HoldfastRecords
import HoldfastStorage
import HoldfastStore
import HoldfastTestSupport
import Testing

@testable import HoldfastCommitLog

@Suite(.serialized) struct FixtureVariantTests {
    private static let fixtures = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().appendingPathComponent("Fixtures")
    private static let target = ProcessInfo.processInfo.environment["HOLDFAST_WRITE_FIXTURE"]

    private func folder(_ variant: FixtureVariant) -> URL {
        Self.fixtures.appendingPathComponent("log-v\(variant.version)-\(variant.rawValue)")
    }

    private func open(_ disk: any Disk, _ variant: FixtureVariant) throws -> Store {
        try Store(disk: disk, application: variant.application, logger: StoreBench.silent)
    }

    /// All that the store shows, values as text.
    private func lines(_ store: Store) -> [String] {
        let lineage = store.read {
            $0.state.lineage.map { "epoch \($0.epoch) from \($0.firstSeq)" }
        }
        return lineage
            + store.read { reader in
                dump(reader.state) { location in
                    reader.withEffect(at: location) { effect, commit in
                        "of \(commit.seq) \(commit.changeID) by \(commit.user.text), set "
                            + "\(effect.isSet) \(effect.state) \(effect.value.text)"
                    }
                }
            }
    }

    @Test(
        "A database of an earlier version is opened, holds what it held, and goes on",
        arguments: FixtureVariant.allCases
    )
    func opens(variant: FixtureVariant) throws {
        let text = try String(
            contentsOf: folder(variant).appendingPathComponent("state.txt"),
            encoding: .utf8
        )
        let expected = text.split(separator: "\n").map { String($0) }
        try withFolder { copy in
            try FileManager.default.copyItem(
                atPath: folder(variant).appendingPathComponent("database").path,
                toPath: copy
            )
            for _ in 1...2 {
                let store = try open(PosixDisk(copy), variant)
                #expect(store.recovery.wasClean)
                try compare(lines(store), expected, "the fixture with its state")
                try store.close()
            }
            guard variant != .partial else { return }
            let bench = try StoreBench(PosixDisk(copy))
            #expect(bench.submit([StoreBench.name("of a later version")]).isAccepted)
            bench.sync()
            try bench.store.compact()
            try bench.reopen()
            #expect(bench.store.read { $0.state.tree(StockModel.footprints)?.count ?? 0 } > 0)
            try bench.store.close()
        }
    }

    @Test(
        "Every file of it is written as it was read: heads, frames, parts, manifest",
        arguments: FixtureVariant.allCases
    )
    func bytes(variant: FixtureVariant) throws {
        let disk = try PosixDisk(folder(variant).appendingPathComponent("database").path)
        var counts: [String: Int] = [:]
        for name in try disk.names(in: "log") where name.hasSuffix(".seg") {
            let bytes = try disk.contents(of: "log/" + name)
            try bytes.withView { view in
                let header = try SegmentHeader(view, file: name)
                var again = ByteBuffer()
                header.append(to: &again)
                #expect(again.view == view[0..<header.byteCount])
                counts["epochs"] = header.lineage.count
                counts["filter"] = header.role.filter.count
                counts["segments", default: 0] += 1
                try frames(view, from: header.byteCount, salt: header.salt, &counts)
            }
        }
        let names = try disk.names(in: "")
        if names.contains("manifest") {
            let name = try #require(try disk.names(in: "manifest").first)
            let bytes = try disk.contents(of: "manifest/" + name)
            let manifest = try Manifest(bytes, file: name)
            #expect(manifest.bytes == bytes)
            for part in manifest.parts {
                let bytes = try disk.contents(of: part.path)
                try bytes.withView { view in
                    #expect(SHA256.digest(view) == part.digest)
                    let header = try PartHeader(view, file: part.path)
                    #expect(header.bytes.view == view[0..<header.byteCount])
                    counts[header.kind.name, default: 0] += 1
                    let start = header.byteCount
                    if header.kind == .used {
                        try usedKeys(view, from: start)
                    } else {
                        try frames(view, from: start, salt: PartHeader.salt, &counts)
                    }
                }
            }
        }
        // It has what it is for.
        #expect(counts["segments", default: 0] > 1)
        switch variant {
        case .epochs: #expect(counts["epochs"] == 3)
        case .checkpoint:
            for kind in PartKind.ofCommits {
                #expect(counts[kind.name, default: 0] > 0, "\(kind)")
            }
        case .forgotten: #expect(counts[PartKind.used.name, default: 0] > 1)
        case .partial:
            #expect(counts["filter", default: 0] > 0 && counts["withheld", default: 0] > 0)
        }
    }

    /// Frames that are of no commit.
    private func usedKeys(_ view: ByteView, from start: Int) throws {
        var offset = start
        while offset < view.count {
            let found = FrameLayout.look(view, at: offset, salt: PartHeader.salt)
            guard case .commit(let byteCount) = found else { throw Disagreement("\(found)") }
            let frame = Frame(view[offset..<offset + byteCount], offset: 0)
            var again = ByteBuffer()
            FrameLayout.append(
                seq: 1,
                content: frame.content,
                effectOffsets: [],
                previous: [],
                salt: PartHeader.salt,
                to: &again
            )
            #expect(again.view == view[offset..<offset + byteCount])
            offset += byteCount
        }
    }

    private func frames(
        _ view: ByteView,
        from start: Int,
        salt: UInt32,
        _ counts: inout [String: Int]
    ) throws {
        var offset = start
        while offset + FrameLayout.markByteCount <= view.count {
            var again = ByteBuffer()
            switch FrameLayout.look(view, at: offset, salt: salt) {
            case .nothing: return
            case .mark(let mark): FrameLayout.appendMark(mark, salt: salt, to: &again)
            case .commit(let byteCount):
                let frame = Frame(view[offset..<offset + byteCount], offset: 0)
                let effects = 0..<frame.effectCount
                FrameLayout.append(
                    seq: frame.seq,
                    content: frame.content,
                    effectOffsets: effects.map {
                        UInt32(frame.content.count - frame.effectBytes($0).count)
                    },
                    previous: effects.map { frame.previous($0) },
                    salt: salt,
                    to: &again
                )
                let commit = try CommitView(frame.content)
                var shown = 0
                try commit.forEachBlock { _, _ in shown += 1 }
                counts["withheld", default: 0] += commit.blockCount - shown
            }
            #expect(again.view == view[offset..<offset + again.count])
            offset += again.count
        }
    }

    @Test("What wrote it still runs", arguments: FixtureVariant.allCases)
    func story(variant: FixtureVariant) throws {
        let store = try open(try variant.write(), variant)
        #expect(store.read { $0.state.head } > 20)
        try store.close()
    }

    @Test(
        "New fixtures are written",
        .enabled(if: target != nil, "HOLDFAST_WRITE_FIXTURE names an empty folder")
    )
    func write() throws {
        let root = URL(fileURLWithPath: try #require(Self.target))
        for variant in FixtureVariant.allCases {
            let disk = try variant.write()
            let folder = root.appendingPathComponent("log-v\(variant.version)-\(variant.rawValue)")
            for path in disk.paths {
                let file = folder.appendingPathComponent("database/" + path)
                try FileManager.default.createDirectory(
                    at: file.deletingLastPathComponent(),
                    withIntermediateDirectories: true
                )
                try Data(disk.bytes(path) ?? []).write(to: file)
            }
            let text = try lines(open(disk.copy(), variant)).joined(separator: "\n") + "\n"
            try Data(text.utf8).write(to: folder.appendingPathComponent("state.txt"))
        }
    }
}
