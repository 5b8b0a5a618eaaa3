// Views of a mirror: confirmed records with pending changes above them, whatever the server says.
import Foundation
import Holdfast
import HoldfastCommitLog
import HoldfastServer
import HoldfastStore
import HoldfastTestSupport
import Testing

@testable import HoldfastEmbedded

private struct Widget: Record, Hashable {
    typealias ID = Name
    var group: String
    var size: Int

    static let byGroup = MultiIndex<Widget, String>("group", \.group)
    static let bySize = MultiIndex<Widget, Int>("size", \.size)
    static let perGroup = Counts<Widget, String>("group", \.group)

    static func define(_ tree: inout HoldfastEmbedded.TreeDefinition<Widget>) {
        tree.name = "widgets"
        tree.borrow = .optional
        tree.index(byGroup)
        tree.index(bySize)
        tree.count(perGroup)
        tree.text("group")
        tree.view(SizeSum())
    }
}

private struct SizeSum: DerivedView {
    typealias R = Widget
    let name = "size-sum"
    let version = 1
    let empty = 0
    func item(of widget: Entry<Widget>) -> Int? { widget.size }
    func add(_ item: Int, of key: HoldfastEmbedded.Key<Widget>, to sum: inout Int) { sum += item }
    func remove(_ item: Int, of key: HoldfastEmbedded.Key<Widget>, from sum: inout Int) {
        sum -= item
    }
}

@Suite(.serialized) struct MirrorViewTests {
    private static let options = LogOptions(segmentByteCount: 8 << 10, growByteCount: 4 << 10)
    private static let groups = ["red", "green", "blue", "grün"]
    private let folder = MirrorFolder()

    private func connect(_ server: TestServer, _ name: String) async throws -> Database {
        try await Database.connect(
            to: "http://" + server.address,
            mirror: folder.path + "/" + name,
            application: "stockroom",
            trees: [Widget.self],
            user: name
        )
    }

    private func key(_ number: Int) -> HoldfastEmbedded.Key<Widget> {
        Key(Name(stringLiteral: "w\(number)"))
    }

    /// Compares every view with the records a walk finds; gives those that pend.
    @discardableResult
    private func check(_ db: Database) throws -> Int {
        try db.read { view in
            let tree = db.tree(Widget.self)
            let all = try tree.all.fetch()
            for group in Self.groups {
                let wanted = all.filter { $0.group == group }.map(\.key)
                #expect(try tree.with(Widget.byGroup, group).fetch().map(\.key) == wanted)
                #expect(view.count(Widget.perGroup, group) == wanted.count)
                #expect(try Set(tree.matching(group).fetch().map(\.key)) == Set(wanted))
            }
            let sizes = all.map(\.size).sorted()
            #expect(
                try tree.ordered(by: Widget.bySize, .reverse).fetch().map(\.size)
                    == sizes.reversed()
            )
            #expect(view.withView(SizeSum()) { $0 } == sizes.reduce(0, +))
            #expect(db.checkInvariants(Widget.self) == nil)
            return all.filter(\.meta.pending).count
        }
    }

    private func change(_ db: Database, _ numbers: Range<Int>, size: Int) async throws {
        for number in numbers {
            try await db.write { tx in
                if try tx.record(key(number)) == nil {
                    let group = Self.groups[(number + size) % Self.groups.count]
                    try tx.create(Widget(group: group, size: size), at: key(number))
                } else if number % 7 == 3 {
                    try tx.delete(key(number))
                } else {
                    try tx.update(key(number)) { widget in
                        widget.size += size
                        widget.group = Self.groups[(number + size) % Self.groups.count]
                    }
                }
            }
        }
    }

    private func settled(_ db: Database) async throws {
        try await db.firstSync()
        try await eventually("nothing pends") { try check(db) == 0 }
    }

    @Test("Pending, contested, accepted and stranded changes, a restart and another copy")
    func mirrors() async throws {
        let disk = SimulatedDisk()
        var server = try TestServer(disk: disk, options: Self.options)
        var anna = try await connect(server, "anna")
        try await anna.firstSync()
        try await change(anna, 0..<40, size: 1)
        try await settled(anna)
        var bert = try await connect(server, "bert")
        try await bert.firstSync()
        #expect(try check(bert) == 0)
        try server.stop()

        // Alone: what pends is in every view, after a restart too, whose checkpoints have it not.
        try await change(bert, 30..<50, size: 2)
        #expect(try check(bert) > 10)
        try await bert.close()
        try await anna.close()
        bert = try await connect(server, "bert")
        #expect(try check(bert) > 10)
        try await bert.close()

        // Meanwhile others change some of the same records, until the log begins behind him.
        server = try TestServer(disk: disk, options: Self.options)
        anna = try await connect(server, "anna")
        for round in 0..<8 { try await change(anna, 20..<35, size: 10 + round) }
        try await settled(anna)
        let report = try #require(try server.store.compact())
        #expect(report.oldest > bert.head.seq)
        bert = try await connect(server, "bert")
        try check(bert)
        try await settled(bert)
        #expect(try !bert.stranded().isEmpty)
        for change in try bert.stranded() { try await change.drop() }
        try await change(bert, 10..<20, size: 3)
        try await settled(bert)
        try await eventually("both hold the same") {
            try check(anna) == 0
                && anna.tree(Widget.self).all.fetch() == bert.tree(Widget.self).all.fetch()
        }
        try await anna.close()
        try await bert.close()
        try server.stop()
    }
}

extension Database {
    /// The last commit it has from the server.
    fileprivate var head: HoldfastEmbedded.Position {
        HoldfastEmbedded.Position(store.read { $0.confirmedPosition })
    }
}
