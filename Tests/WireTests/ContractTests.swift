// The examples and the table of openapi/ against what this module reads and writes.
import Foundation
import HoldfastBasics
import HoldfastJSONCoding
import HoldfastRecords
import HoldfastWire
import Testing

@Suite struct ContractTests {
    static let folder = URL(filePath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().appending(path: "openapi")

    /// An example, without its white space.
    static func example(_ name: String) throws -> String {
        let data = try Data(contentsOf: folder.appending(path: "examples/\(name).json"))
        let document = try Array(data).withView { try JSONNormalizer.normalized($0) }
        return String(decoding: document, as: UTF8.self)
    }

    static func change(_ text: String) throws(ShapeRefusal) -> ChangeRequest {
        try reading(text) { body throws(ShapeRefusal) in
            try ChangeRequest(body, newID: { Sample.databaseID })
        }
    }

    @Test("Every code of the contract has its status here, and there is no other")
    func codes() throws {
        let yaml = try String(
            contentsOf: Self.folder.appending(path: "openapi.yaml"),
            encoding: .utf8
        )
        let start = try #require(yaml.range(of: "\nx-code-status:\n"))
        let table = yaml[start.upperBound...].prefix { $0 != "#" }
        var statuses: [String: Int] = [:]
        for row in table.matches(of: /(?m)^  ([a-z-]+): (\d{3})$/) {
            statuses[String(row.1)] = Int(row.2)
        }
        let own = RefusalCode.allCases.map { ($0.rawValue, $0.problem.status) }
        #expect(statuses == Dictionary(uniqueKeysWithValues: own))
    }

    @Test("The examples of replies are what is written")
    func replies() throws {
        let facts = RecordFacts(
            tree: Sample.tree("parts"),
            version: Sample.position(48213),
            borrow: Sample.facts
        )
        try withFirstEffect(Sample.commit) { effect, commit in
            let envelope = try written { Envelope.append(effect, of: commit, facts, to: &$0) }
            #expect(envelope == (try Self.example("Envelope")))
            let version = try written {
                try HistoryEntry.append(effect, of: commit, Sample.position(48213), to: &$0)
            }
            #expect(version == (try Self.example("Version")))
            let text = try commitText(commit)
            let chain = commit.chain.description
            #expect(
                text.replacing(chain, with: Sample.chain.description)
                    == (try Self.example("Commit"))
            )
        }
        #expect(
            try written { Sample.facts.append(to: &$0) } == (try Self.example("BorrowFacts"))
        )
        let borrow = BorrowShape(Sample.held, queue: 1, isYours: true)
        #expect(try written { borrow.append(to: &$0) } == (try Self.example("Borrow")))
        #expect(try written { Sample.range.append(to: &$0) } == (try Self.example("Range")))
    }

    @Test("A place in line and a page of borrows are what is written")
    func borrows() throws {
        var record = Sample.held
        record.id = Sample.otherBorrowID
        record.state = .queued
        record.user = "ben"
        record.device = "PC-07"
        record.takenAt = Sample.modified
        record.note = "recount"
        let queued = BorrowShape(record, queue: 0, isYours: true)
        #expect(
            try written { queued.appendReply(place: 1, to: &$0) }
                == (try Self.example("BorrowQueued"))
        )
        let list = try written { buffer in
            var page = ListPage(.borrows, in: &buffer)
            for shape in [BorrowShape(Sample.held, queue: 1, isYours: true), queued] {
                page.beginElement(in: &buffer)
                shape.append(to: &buffer)
            }
            page.end(in: &buffer)
        }
        #expect(list == (try Self.example("BorrowList")))
    }

    @Test(
        "The examples of operations are read",
        arguments: [
            "PutOperation": "put", "PatchOperation": "patch", "DeleteOperation": "delete",
            "ReleaseOperation": "release", "ReviseOperation": "revise",
            "SetStateOperation": "setState", "BorrowOperation": "borrow", "EndOperation": "return",
            "ReserveOperation": "reserve", "DefineTreeOperation": "defineTree",
        ]
    )
    func operation(_ name: String, _ word: String) throws {
        let text = try Self.example(name)
        #expect(try Self.change("{\"operations\":[{\"\(word)\":\(text)}]}").operations.count == 1)
    }

    @Test("The examples of bodies are read")
    func bodies() throws {
        #expect(try Self.change(Self.example("Change")).operations.count == 4)
        #expect(try Self.change("{\"operations\":[\(Self.example("Operation"))]}").id == nil)
        let definition = try reading(Self.example("TreeDefinition"), RequestBody.treeDefinition)
        #expect(definition.schema?.fields.count == 4)
        let borrow = try reading(Self.example("BorrowRequest")) { body throws(ShapeRefusal) in
            try BorrowRequest(body)
        }
        #expect(borrow.queue)
        #expect(try reading(Self.example("RangeRequest"), RequestBody.range).count == 1000)
        #expect(try reading(Self.example("Release"), RequestBody.release) == 0)
        #expect(try reading(Self.example("Revise"), RequestBody.revise) == Sample.otherBorrowID)
        #expect(try reading(Self.example("NumberedState"), RequestBody.state) == .draft(2))
    }
}
