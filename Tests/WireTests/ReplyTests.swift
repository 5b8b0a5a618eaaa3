// Envelopes, lists, borrows, ranges, trees, changes, jobs and headers as they are written.
import Foundation
import HoldfastBasics
import HoldfastRecords
import HoldfastWire
import Testing

@Suite struct ReplyTests {
    @Test("The contract's envelope comes out of the record's effect")
    func envelope() throws {
        var facts = RecordFacts(
            tree: Sample.tree("parts"),
            version: Sample.position(48213),
            borrow: Sample.facts
        )
        try withFirstEffect(Sample.commit) { effect, commit in
            let text = try written { Envelope.append(effect, of: commit, facts, to: &$0) }
            #expect(text == Sample.envelopeJSON)
            facts.borrow = nil
            let free = try written { Envelope.append(effect, of: commit, facts, to: &$0) }
            #expect(
                free
                    == Sample.envelopeJSON.replacing(
                        #""borrow":"# + Sample.factsJSON + ",",
                        with: ""
                    )
            )
        }
    }

    @Test("A record of a name tree without schema has a name and no schema")
    func nameEnvelope() throws {
        let image = Sample.image("null", .released(2), .none)
        var commit = Sample.commit
        commit.blocks = [
            Sample.block(
                "bins",
                [
                    Effect(
                        key: RecordKey(name: "pre:demo:key", revision: 3),
                        label: .put,
                        previousSeq: 1,
                        image: image
                    )
                ]
            )
        ]
        let facts = RecordFacts(tree: Sample.tree("bins"), version: Sample.position(9))
        try withFirstEffect(commit) { effect, commit in
            let text = try written { Envelope.append(effect, of: commit, facts, to: &$0) }
            let expected =
                #"{"tree":"bins","key":{"name":"pre:demo:key","revision":3},"#
                + #""state":{"released":2},"version":"7t3k9x2m4q8wr:9","#
                + #""created":{"at":"2026-11-20T10:00:00.123Z","by":"anna","device":"PC-12"},"#
                + #""modified":{"at":"2026-11-20T10:04:31.900Z","by":"ben","device":"PC-07"},"#
                + #""value":null}"#
            #expect(text == expected)
        }
    }

    @Test("Pages hold their elements, and a next where there is one")
    func pages() throws {
        let empty = try written { buffer in
            let page = ListPage(.records, in: &buffer)
            page.end(in: &buffer)
        }
        #expect(empty == #"{"records":[]}"#)
        let cursor = ListCursor(after: Sample.part, at: Sample.position(1), parameters: [])
        let two = try written { buffer in
            var page = ListPage(.ranges, in: &buffer)
            page.beginElement(in: &buffer)
            Sample.range.append(to: &buffer)
            page.beginElement(in: &buffer)
            Sample.range.append(to: &buffer)
            #expect(page.count == 2)
            page.end(next: cursor, in: &buffer)
        }
        #expect(
            two
                == #"{"ranges":[\#(Sample.rangeJSON),\#(Sample.rangeJSON)],"next":"\#(cursor.text)"}"#
        )
        let commits = try written { buffer in
            let page = ListPage(.commits, in: &buffer)
            page.end(since: Sample.position(48213), in: &buffer)
        }
        #expect(commits == #"{"commits":[],"next":"7t3k9x2m4q8wr:48213"}"#)
    }

    @Test("Borrow replies carry the record, or the place in line")
    func borrows() throws {
        let borrowJSON =
            #"{"id":"0193c2a0-5b7e-7d31-9c44-0f6b2a9e1d10","tree":"parts","#
            + #""key":{"id":12,"revision":0},"kind":"held","state":"held","#
            + #""holder":{"user":"anna","device":"PC-12"},"takenAt":"2026-11-20T10:00:00.123Z","#
            + #""dueAt":null,"note":"shelf 4","queue":1,"yours":true}"#
        let shape = BorrowShape(Sample.held, queue: 1, isYours: true)
        #expect(try written { shape.append(to: &$0) } == borrowJSON)
        let taken = try written { buffer in
            Array(Sample.envelopeJSON.utf8).withView { shape.appendReply(record: $0, to: &buffer) }
        }
        #expect(taken == #"{"borrow":\#(borrowJSON),"record":\#(Sample.envelopeJSON)}"#)
        let queued = try written { shape.appendReply(place: 2, to: &$0) }
        #expect(queued == #"{"borrow":\#(borrowJSON),"place":2}"#)
    }

    @Test("A granted, leased and recalled borrow says all of it")
    func fullBorrow() throws {
        var record = Sample.held
        record.kind = .leased
        record.state = .granted
        record.grantedAt = Sample.modified
        record.dueAt = Sample.created
        record.termSeconds = 30
        record.recalled = BorrowRecord.Recall(by: "cy", at: Sample.modified, note: "now")
        let text = try written {
            BorrowShape(record, queue: 0, isYours: false).append(to: &$0)
        }
        #expect(
            text
                == #"{"id":"0193c2a0-5b7e-7d31-9c44-0f6b2a9e1d10","tree":"parts","#
                + #""key":{"id":12,"revision":0},"kind":"leased","state":"granted","#
                + #""holder":{"user":"anna","device":"PC-12"},"#
                + #""takenAt":"2026-11-20T10:00:00.123Z","#
                + #""grantedAt":"2026-11-20T10:04:31.900Z","#
                + #""dueAt":"2026-11-20T10:00:00.123Z","termSeconds":30,"note":"shelf 4","#
                + #""queue":0,"yours":false,"recalled":{"by":"cy","#
                + #""at":"2026-11-20T10:04:31.900Z","note":"now"}}"#
        )
    }

    @Test("The reply to a change has one result for each operation")
    func changeReply() throws {
        let results: [ResultShape] = [
            .key(Sample.part), .key(RecordKey(name: "a\"b", revision: 1)),
            .record(Array(Sample.envelopeJSON.utf8)), .place(2), .range(Sample.range), .nothing,
        ]
        let text = try written {
            ChangeReply.append(at: Sample.position(48213), results, to: &$0)
        }
        let expected =
            #"{"position":"7t3k9x2m4q8wr:48213","results":[{"key":{"id":12,"revision":0}},"#
            + #"{"key":{"name":"a\"b","revision":1}},{"record":"# + Sample.envelopeJSON
            + #"},{"place":2},{"range":"# + Sample.rangeJSON + "},{}]}"
        #expect(text == expected)
    }

    @Test("Each line of a job is an object of its own, and the last one counts")
    func jobLines() throws {
        var buffer = ByteBuffer()
        JobLine.append(1, at: Sample.position(7), [.key(Sample.part)], to: &buffer)
        JobLine.append(2, at: Sample.position(8), [], isReplayed: true, to: &buffer)
        let problem = Problem(Refusal(.unique, "No.", field: "number"))
        JobLine.append(3, .line, problem, current: nil, to: &buffer)
        JobLine.append(
            4,
            .commit(Sample.position(3)),
            at: Sample.position(8),
            [.key(Sample.part)],
            isRehearsal: true,
            to: &buffer
        )
        JobLine.append(5, .record(Sample.part), problem, current: nil, to: &buffer)
        JobLine.appendDone(job: Sample.databaseID, accepted: 2, refused: 1, to: &buffer)
        JobLine.appendDone(
            job: Sample.databaseID,
            accepted: 2,
            refused: 1,
            recordCount: 9,
            to: &buffer
        )
        let expected = """
            {"line":1,"status":201,"position":"7t3k9x2m4q8wr:7","results":[{"key":{"id":12,"revision":0}}]}
            {"line":2,"status":201,"position":"7t3k9x2m4q8wr:8","results":[],"replayed":true}
            {"line":3,"status":409,"problem":{"type":"https://holdfast.example/problems/unique","title":"The value is taken","status":409,"code":"unique","detail":"No.","field":"number"}}
            {"line":4,"status":200,"commit":"7t3k9x2m4q8wr:3","dryRun":true,"position":"7t3k9x2m4q8wr:8","results":[{"key":{"id":12,"revision":0}}]}
            {"line":5,"status":409,"key":{"id":12,"revision":0},"problem":{"type":"https://holdfast.example/problems/unique","title":"The value is taken","status":409,"code":"unique","detail":"No.","field":"number"}}
            {"done":{"job":"0193c29f-0000-7abc-8def-0123456789ab","lines":3,"accepted":2,"refused":1}}
            {"done":{"job":"0193c29f-0000-7abc-8def-0123456789ab","lines":3,"accepted":2,"refused":1,"records":9}}

            """
        #expect(buffer.view.text == expected)
    }

    @Test("A line without an id gets the same one again, of version 8")
    func lineIDs() {
        // python3: uuid of sha256(uuid.UUID(job).bytes + line.to_bytes(8, "big")), version 8
        let first = JobLine.changeID(job: Sample.databaseID, line: 1)
        #expect(first.description == "a5521fd1-df68-82a0-b738-ca1cb93b8077")
        #expect(JobLine.changeID(job: Sample.databaseID, line: 2) != first)
        #expect(JobLine.changeID(job: Sample.changeID, line: 1) != first)
    }

    @Test("The server's document is the contract's")
    func server() throws {
        let document = ServerDocument(
            version: "0.1.0",
            databaseID: Sample.databaseID,
            application: "stockroom",
            head: Sample.position(48213),
            chain: Sample.chain,
            oldest: Sample.position(0),
            snapshot: Sample.position(48000)
        )
        let text = try written { document.append(to: &$0) }
        #expect(try Array(text.utf8).withView { try ServerDocument($0) } == document)
        #expect(
            text
                == #"{"name":"holdfast","version":"0.1.0","#
                + #""databaseID":"0193c29f-0000-7abc-8def-0123456789ab","application":"stockroom","#
                + #""epoch":"7t3k9x2m4q8wr","head":"7t3k9x2m4q8wr:48213","#
                + #""chain":"5f0d1c9be2a84736a1b0c9d8e7f60512","oldest":"7t3k9x2m4q8wr:0","#
                + #""lineage":[{"epoch":"7t3k9x2m4q8wr","firstSeq":1}],"#
                + #""snapshot":"7t3k9x2m4q8wr:48000","healing":null}"#
        )
    }

    @Test("A snapshot's document is read as it was written, and nothing else is taken for one")
    func snapshot() throws {
        let part = PartReference(
            digest: Array("part".utf8).withView { SHA256.digest($0) },
            byteCount: 4_194_400,
            kind: .tombstones,
            block: "_borrows/parts",
            effectCount: 3
        )
        let document = SnapshotDocument(
            databaseID: Sample.databaseID,
            position: Sample.position(48000),
            chain: Sample.chain,
            time: 1_763_700_000_123,
            trees: ["parts", "bins"],
            parts: [part]
        )
        let text = try written { document.append(to: &$0) }
        #expect(try Array(text.utf8).withView { try SnapshotDocument($0) } == document)
        #expect(
            text.hasSuffix(
                #""parts":[{"sha256":"\#(part.digest)","bytes":4194400,"kind":"tombstones","#
                    + #""block":"_borrows/parts","effects":3}]}"#
            )
        )
        let digest = part.digest.description
        for (found, other) in [
            (digest, digest.uppercased()), (digest, String(digest.dropLast())), (digest, "x"),
            ("tombstones", "stones"), ("4194400", "0"), ("4194400", "-1"),
            ("4194400", "99999999999"), ("\"effects\"", "\"affects\""), ("\"trees\"", "\"tree\""),
        ] {
            let bad = Array(text.replacingOccurrences(of: found, with: other).utf8)
            #expect(throws: ShapeRefusal.self, "\(other)") {
                try bad.withView { try SnapshotDocument($0) }
            }
        }
    }

    @Test("A tree's document is its declaration between name and metadata")
    func tree() throws {
        let declaration = TreeDeclaration(
            keys: .id,
            isVersioned: true,
            borrow: .required,
            transitions: [StateTransition(from: .draft(0), to: .draft(1))],
            schemas: [
                Descriptor(
                    version: SchemaVersion(1, 0),
                    fields: [Field(name: "number", type: .string, isUnique: true)]
                )
            ]
        )
        try withFirstEffect(Sample.commit) { effect, commit in
            let text = try written {
                TreeDocument.append(
                    Sample.tree("parts"),
                    declaration,
                    effect,
                    of: commit,
                    version: Sample.position(1),
                    to: &$0
                )
            }
            let expected =
                #"{"tree":"parts","keys":"id","versioned":true,"borrow":"required","#
                + #""transitions":[{"from":{"draft":0},"to":{"draft":1}}],"#
                + #""schemas":[{"version":"1.0","fields":[{"name":"number","type":"string","#
                + #""unique":true}]}],"current":"1.0","version":"7t3k9x2m4q8wr:1","#
                + #""created":{"at":"2026-11-20T10:00:00.123Z","by":"anna","device":"PC-12"},"#
                + #""modified":{"at":"2026-11-20T10:04:31.900Z","by":"ben","device":"PC-07"}}"#
            #expect(text == expected)
        }
    }

    @Test("Header values are the contract's")
    func headers() {
        var buffer = ByteBuffer()
        func text(_ write: (inout ByteBuffer) -> Void) -> String {
            buffer.removeAll()
            write(&buffer)
            return buffer.view.text
        }
        let parts = Sample.tree("parts")
        let name = RecordKey(name: "a/b ü~", revision: 2)
        #expect(
            text { HeaderText.appendETag(Sample.position(7), to: &$0) } == #""7t3k9x2m4q8wr:7""#
        )
        #expect(text { HeaderText.appendKey(Sample.part.id, to: &$0) } == "12")
        #expect(text { HeaderText.appendKey(name.id, to: &$0) } == "a%2Fb%20%C3%BC~")
        #expect(
            text { HeaderText.appendLocation(parts, Sample.part, isVersioned: false, to: &$0) }
                == "/v1/records/parts/12"
        )
        #expect(
            text { HeaderText.appendLocation(parts, name, isVersioned: true, to: &$0) }
                == "/v1/records/parts/a%2Fb%20%C3%BC~?revision=2"
        )
        var facts = Sample.facts
        facts.user = "jürg; x"
        #expect(
            text { HeaderText.appendBorrow(facts, to: &$0) }
                == "0193c2a0-5b7e-7d31-9c44-0f6b2a9e1d10; user=j%C3%BCrg%3B%20x; device=PC-12; "
                + "since=2026-11-20T10:00:00.123Z"
        )
        #expect(Sample.image("1").state.description == "draft(0)")
    }
}

@Suite struct ListCursorTests {
    static func cursor(_ key: RecordKey) -> ListCursor {
        ListCursor(after: key, at: Sample.position(48213), parameters: ["parts", "latest"])
    }

    static func read(_ text: String) throws(ShapeRefusal) -> ListCursor {
        try reading(text) { view throws(ShapeRefusal) in
            try ListCursor(view, parameters: ["parts", "latest"])
        }
    }

    @Test(
        "A cursor comes back as it was",
        arguments: [
            RecordKey(number: 1), RecordKey(number: Limits.numberMax, revision: .max),
            RecordKey(name: "ä"), RecordKey(name: String(repeating: "x", count: 512), revision: 7),
        ]
    )
    func roundTrip(_ key: RecordKey) throws {
        let cursor = Self.cursor(key)
        let text = cursor.text
        #expect(text.wholeMatch(of: /[A-Za-z0-9_-]+/) != nil)
        let back = try Self.read(text)
        #expect(back == cursor)
        #expect(back.last == key)
        #expect(back.position == Sample.position(48213))
    }

    @Test(
        "So does one of a sorted list, and it is taken for no other kind",
        arguments: [nil, [], [1], Array(repeating: 255, count: 256)] as [[UInt8]?]
    )
    func sorted(_ form: [UInt8]?) throws {
        for key in [RecordKey(number: 7, revision: 1), RecordKey(name: "ä")] {
            let cursor = ListCursor(
                after: key,
                .value(form),
                at: Sample.position(9),
                parameters: ["parts"]
            )
            let bytes = Array(cursor.text.utf8)
            #expect(
                try bytes.withView { try ListCursor($0, parameters: ["parts"], isSorted: true) }
                    == cursor
            )
            #expect(throws: ShapeRefusal.self) {
                try bytes.withView { try ListCursor($0, parameters: ["parts"]) }
            }
        }
        let plain = Array(Self.cursor(Sample.part).text.utf8)
        #expect(throws: ShapeRefusal.self) {
            try plain.withView {
                try ListCursor($0, parameters: ["parts", "latest"], isSorted: true)
            }
        }
    }

    @Test("A cursor cut or changed anywhere is refused")
    func damaged() {
        let text = Array(Self.cursor(RecordKey(name: "bin-77")).text.utf8)
        func isRefused(_ bytes: [UInt8]) -> Bool {
            do throws(ShapeRefusal) {
                _ = try Self.read(String(decoding: bytes, as: UTF8.self))
                return false
            } catch {
                return error.refusal.code == .badParameter && error.refusal.field == "cursor"
            }
        }
        #expect(!isRefused(text))
        for length in 0..<text.count { #expect(isRefused(Array(text[..<length]))) }
        for index in text.indices {
            var changed = text
            changed[index] = changed[index] == UInt8(ascii: "A") ? UInt8(ascii: "B") : 65
            #expect(isRefused(changed))
        }
        // The last digit has bits to spare; only one way to fill them is right.
        let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)
        #expect(digits.filter { !isRefused(text.dropLast() + [$0]) } == [text[text.count - 1]])
        #expect(isRefused(text + text))
        #expect(isRefused(text + [UInt8(ascii: "=")]))
    }

    @Test("A cursor of another list is refused")
    func otherList() throws {
        let text = Self.cursor(Sample.part).text
        for parameters in [
            [], ["parts"], ["parts", "all"], ["partslatest"], ["parts", "latest", ""],
        ] {
            let error = #expect(throws: ShapeRefusal.self) {
                try Array(text.utf8).withView { try ListCursor($0, parameters: parameters) }
            }
            #expect(error?.refusal.code == .badParameter)
        }
    }
}
