// The messages of holdfast.mirror.v1: both directions, there and back, cut anywhere, and wrong.
import HoldfastBasics
import HoldfastRecords
import HoldfastWire
import Testing

@Suite struct MirrorMessageTests {
    static func bytes(_ message: MirrorUp) -> [UInt8] {
        var buffer = ByteBuffer()
        message.append(to: &buffer)
        return buffer.array
    }

    static func bytes(_ message: MirrorDown) -> [UInt8] {
        var buffer = ByteBuffer()
        message.append(to: &buffer)
        return buffer.array
    }

    static func message(_ kind: UInt8, _ text: String) -> [UInt8] { [kind] + Array(text.utf8) }

    /// Why a message is refused; nil when it is not.
    static func faultUp(_ bytes: [UInt8]) -> MirrorFault? {
        bytes.withView { view in
            do throws(MirrorFault) {
                _ = try MirrorUp(view)
                return nil
            } catch {
                return error
            }
        }
    }

    static func faultDown(_ bytes: [UInt8]) -> MirrorFault? {
        bytes.withView { view in
            do throws(MirrorFault) {
                _ = try MirrorDown(view)
                return nil
            } catch {
                return error
            }
        }
    }

    // MARK: Samples

    static let parts = Sample.tree("parts")
    static let target = RecordOperation(
        tree: parts,
        key: Sample.part,
        expects: .change(Sample.changeID),
        borrow: Sample.borrowID
    )

    /// A change with every operation and every member.
    static let fullChange = Change(
        id: Sample.changeID,
        jobID: Sample.databaseID,
        madeAt: Sample.created,
        deviceSeq: 17,
        requires: [Sample.borrowID, Sample.otherBorrowID],
        why: "recount \"shelf\"\n4",
        operations: [
            .put(
                WriteOperation(
                    tree: parts,
                    key: Sample.part,
                    expects: .version(Sample.position(48190)),
                    borrow: Sample.borrowID,
                    hold: Sample.otherBorrowID,
                    schema: SchemaVersion(1, 2),
                    value: Array(Sample.value.utf8)
                )
            ),
            .put(
                WriteOperation(
                    tree: parts,
                    key: nil,
                    expects: .absent,
                    value: Array("null".utf8)
                )
            ),
            .put(
                WriteOperation(
                    tree: parts,
                    key: Sample.part,
                    expects: .version(Sample.position(48190)),
                    schema: SchemaVersion(2, 0),
                    isMigration: true,
                    value: Array(Sample.value.utf8)
                )
            ),
            .patch(
                WriteOperation(
                    tree: Sample.tree("bins"),
                    key: RecordKey(name: "pre:\"a\\b\"é", revision: 3),
                    value: Array(#"{"a":null}"#.utf8)
                )
            ),
            .delete(target), .release(target, number: 4), .setState(target, .released(2)),
            .release(RecordOperation(tree: parts, key: Sample.part), number: 0),
            .setState(RecordOperation(tree: parts, key: Sample.part), .plain),
            .revise(tree: parts, key: Sample.part, hold: Sample.borrowID),
            .revise(tree: parts, key: Sample.part, hold: nil),
            .borrow(
                BorrowOperation(
                    tree: parts,
                    key: Sample.part,
                    borrow: Sample.borrowID,
                    kind: .leased,
                    note: "shelf 4",
                    dueAt: Sample.modified,
                    queue: true
                )
            ),
            .borrow(BorrowOperation(tree: parts, key: Sample.part, borrow: Sample.borrowID)),
            .return(Sample.borrowID), .cancel(Sample.borrowID),
            .recall(Sample.borrowID, note: "a \"note\""), .seize(Sample.borrowID),
            .setHolder(Sample.borrowID, user: "ben \"b\"", device: "PC-7"),
            .reserve(tree: parts, range: Sample.endedBorrowID, count: 1000),
            .defineTree(
                parts,
                TreeDefinition(
                    keys: .id,
                    isVersioned: true,
                    borrow: .optional,
                    transitions: [StateTransition(from: .draft(0), to: .draft(1))]
                )
            ),
        ]
    )

    static let hello = MirrorHello(
        databaseID: Sample.databaseID,
        application: "stockroom",
        device: "d-1",
        deviceName: "Anna's PC",
        user: "anna",
        app: "stockroom",
        appVersion: "1.4",
        schemas: [parts: SchemaVersion(1, 2), Sample.tree("bins"): SchemaVersion(3, 0)],
        trees: [parts, Sample.tree("bins")],
        have: MirrorHave(position: Sample.position(12), chain: Sample.chain),
        settled: 9
    )

    static let ups: [MirrorUp] = [
        .hello(hello),
        .hello(
            MirrorHello(
                databaseID: Sample.databaseID,
                application: "a",
                device: "d",
                user: "u",
                app: "",
                appVersion: ""
            )
        ),
        .change(MirrorChange(fullChange)),
        .change(MirrorChange(Change(id: Sample.changeID, operations: [.return(Sample.borrowID)]))),
        .settled(through: Limits.numberMax),
    ]

    static let refusal: Refusal = {
        var refusal = Refusal(
            .borrowed,
            "Anna has it.",
            field: "pins.0.number",
            borrow: Sample.facts
        )
        refusal.operation = 3
        return refusal
    }()

    static let downs: [MirrorDown] = [
        .welcome(
            MirrorWelcome(
                databaseID: Sample.databaseID,
                application: "stockroom",
                head: Sample.position(48213),
                chain: Sample.chain,
                oldest: Sample.position(0),
                heartbeatSeconds: 0.5,
                settled: 9
            )
        ),
        .welcome(
            MirrorWelcome(
                databaseID: Sample.databaseID,
                application: "stockroom",
                head: Sample.position(1),
                chain: Sample.chain,
                oldest: Sample.position(0),
                heartbeatSeconds: 15,
                settled: 0,
                opens: ["bins", "parts"]
            )
        ),
        .commits([[1, 2, 3], [], Array(repeating: 7, count: 300)]),
        .head(MirrorHead(seq: 5, chain: Sample.chain)),
        .head(
            MirrorHead(
                seq: 5,
                chain: Sample.chain,
                hashes: [
                    BlockName(tree: parts): Sample.chain,
                    TreeName.borrows.block(about: parts): .zero,
                ]
            )
        ),
        .accepted(
            MirrorAccepted(
                MirrorChange.Name(id: Sample.changeID, deviceSeq: 17),
                at: Sample.position(48213),
                [
                    .key(RecordKey(number: 901)), .nothing, .place(0), .place(3),
                    .range(Sample.range), .record(Array(Sample.envelopeJSON.utf8)),
                ],
                isReplayed: true
            )
        ),
        .accepted(
            MirrorAccepted(MirrorChange.Name(id: Sample.changeID), at: Sample.position(1), [])
        ),
        .refused(
            MirrorRefused(
                MirrorChange.Name(id: Sample.changeID, deviceSeq: 17),
                ProblemDocument(refusal, current: Array(Sample.envelopeJSON.utf8))
            )
        ),
        .refused(
            MirrorRefused(
                MirrorChange.Name(id: Sample.changeID),
                ProblemDocument(
                    Refusal(
                        .borrowEnded,
                        "It ended.",
                        ended: Ending(
                            stamp: Stamp(at: Sample.modified, user: "ben", device: "PC-07"),
                            label: .setHolder,
                            reason: "for a \"reason\""
                        )
                    )
                )
            )
        ),
        .refused(
            MirrorRefused(
                MirrorChange.Name(id: Sample.changeID),
                ProblemDocument(Refusal(.incompatible, "No.", rules: ["One.", "Two."]))
            )
        ),
        .bye(MirrorBye(code: 4409, detail: "The histories differ.")),
    ]

    // MARK: There and back

    @Test("What a mirror says comes out as it went in", arguments: ups)
    func roundTripUp(_ message: MirrorUp) throws {
        let bytes = Self.bytes(message)
        let read = try bytes.withView { try MirrorUp($0) }
        #expect(read == message)
        #expect(Self.bytes(read) == bytes)
    }

    @Test("What a server says comes out as it went in", arguments: downs)
    func roundTripDown(_ message: MirrorDown) throws {
        let bytes = Self.bytes(message)
        let read = try bytes.withView { try MirrorDown($0) }
        #expect(read == message)
        #expect(Self.bytes(read) == bytes)
    }

    @Test("No beginning of a message is taken for a message, and none traps")
    func truncations() {
        for message in Self.ups {
            let bytes = Self.bytes(message)
            for count in 0..<bytes.count {
                #expect(Self.faultUp(Array(bytes.prefix(count))) != nil, "\(message) at \(count)")
            }
        }
        for message in Self.downs {
            let bytes = Self.bytes(message)
            // Whole commits ahead of the cut are a message of their own.
            let whole: Set = bytes[0] == 0x82 ? [1 + 4 + 3, 1 + 4 + 3 + 4] : []
            for count in 0..<bytes.count where !whole.contains(count) {
                #expect(Self.faultDown(Array(bytes.prefix(count))) != nil, "\(message) at \(count)")
            }
        }
    }

    @Test("No byte of a message, whatever it becomes, traps the reader")
    func flips() {
        var random = SplitMix(state: 3)
        for _ in 0..<4000 {
            var up = Self.bytes(Self.ups[Int(random.next() % UInt64(Self.ups.count))])
            var down = Self.bytes(Self.downs[Int(random.next() % UInt64(Self.downs.count))])
            up[Int(random.next() % UInt64(up.count))] = UInt8(truncatingIfNeeded: random.next())
            down[Int(random.next() % UInt64(down.count))] = UInt8(truncatingIfNeeded: random.next())
            _ = Self.faultUp(up)
            _ = Self.faultDown(down)
        }
    }

    private struct SplitMix {
        var state: UInt64

        mutating func next() -> UInt64 {
            state &+= 0x9E37_79B9_7F4A_7C15
            var z = state
            z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
            z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
            return z ^ (z >> 31)
        }
    }

    // MARK: Refused

    static let helloStart =
        #"{"protocol":1,"databaseID":"0193c29f-0000-7abc-8def-0123456789ab","application":"a","#
        + #""device":"d","user":"u","app":"","appVersion":"","settled":0"#

    static func helloWith(_ old: String, _ new: String) -> [UInt8] {
        message(0x01, helloStart.replacing(old, with: new) + "}")
    }

    static let bad: [(bytes: [UInt8], field: String?)] = [
        ([], nil), ([0x00], nil), ([0x81], nil), (message(0x04, "{}"), nil),
        (message(0x01, "{}"), "protocol"), (message(0x01, "[]"), nil),
        (message(0x01, helloStart + #","tree":1}"#), "tree"),
        (message(0x01, helloStart + #","trees":[]}"#), "trees"),
        (message(0x01, helloStart + #","trees":["_tokens"]}"#), "trees.0"),
        (message(0x01, helloStart + #","have":{"position":"7t3k9x2m4q8wr:1"}}"#), "have.chain"),
        (message(0x01, helloStart + #","have":{"position":"1","chain":"00"}}"#), "have.position"),
        (helloWith(#""settled":0"#, #""settled":-1"#), "settled"),
        (helloWith(#""device":"d""#, #""device":"_system""#), "device"),
        (helloWith(#""device":"d""#, #""device":"""#), "device"),
        (helloWith(#""user":"u""#, #""user":"a\u0007b""#), "user"),
        (message(0x01, helloStart + #","schemas":{"_x":"1.0"}}"#), "schemas"),
        (message(0x03, #"{"through":9007199254740992}"#), "through"),
        (message(0x03, "{}"), "through"), (message(0x03, #"{"through":1} x"#), nil),
        (
            message(0x02, #"{"operations":[{"return":{"borrow":"x"}}]}"#),
            "operations.0.return.borrow"
        ),
        (message(0x02, #"{"operations":[]}"#), "operations"),
    ]

    @Test("A wrong message is refused with the member that is wrong", arguments: bad)
    func refused(_ bytes: [UInt8], _ field: String?) throws {
        let fault = try #require(Self.faultUp(bytes))
        #expect(fault.refusal.field == field)
        #expect(!fault.refusal.detail.isEmpty)
        #expect(fault.change == nil)
    }

    @Test("A wrong change that names itself can be answered")
    func named() throws {
        let id = "0193c2a2-11d8-7e64-b3a5-92c41f7e0d43"
        let bytes = Self.message(
            0x02,
            #"{"operations":[{"fly":{}}],"id":"\#(id)","deviceSeq":4}"#
        )
        let fault = try #require(Self.faultUp(bytes))
        #expect(fault.change == MirrorChange.Name(id: Sample.changeID, deviceSeq: 4))
        #expect(fault.refusal.operation == 0)
    }

    @Test("A change without an id is refused: its answer could not name it")
    func unnamed() throws {
        let bytes = Self.message(
            0x02,
            #"{"operations":[{"return":{"borrow":"0193c2a0-5b7e-7d31-9c44-0f6b2a9e1d10"}}]}"#
        )
        #expect(Self.faultUp(bytes)?.refusal.field == "id")
    }

    @Test("What only a mirror may say is not taken by REST")
    func rest() throws {
        for member in [#""requires":[]"#, #""deviceSeq":1"#] {
            let body = Array(
                #"{"operations":[{"return":{"borrow":"\#(Sample.borrowID)"}}],\#(member)}"#.utf8
            )
            let code = body.withView { view in
                do throws(ShapeRefusal) {
                    _ = try ChangeRequest(view, newID: { Sample.databaseID })
                    return nil as RefusalCode?
                } catch {
                    return error.refusal.code
                }
            }
            #expect(code == .unsupported)
        }
    }

    @Test("Newer servers may say more, and use kinds and codes this version does not know")
    func newer() throws {
        let bye = Self.message(0x86, #"{"code":4409,"detail":"x","more":{"a":[1]}}"#)
        #expect(
            try bye.withView { try MirrorDown($0) } == .bye(MirrorBye(code: 4409, detail: "x"))
        )
        #expect(try [0x99, 1].withView { try MirrorDown($0) } == .unknown(0x99))
        let refused = Self.message(
            0x85,
            #"{"id":"\#(Sample.changeID)","problem":{"code":"too-new","status":418,"title":"T","facts":1}}"#
        )
        guard case .refused(let answer) = try refused.withView({ try MirrorDown($0) }) else {
            Issue.record("not a refusal")
            return
        }
        #expect(answer.problem.codeText == "too-new")
        #expect(answer.problem.refusal.code == .unsupported)
        #expect(answer.problem.refusal.detail == "T")
        let head = Self.message(
            0x83,
            #"{"seq":1,"chain":"\#(Sample.chain)","hashes":{"_later/parts":"\#(Sample.chain)"}}"#
        )
        #expect(
            try head.withView { try MirrorDown($0) }
                == .head(MirrorHead(seq: 1, chain: Sample.chain, hashes: [:]))
        )
    }

    @Test("The digest of a change is that of what it means, for one caller")
    func digest() throws {
        let anna = Caller(user: "anna", device: "d-1")
        let bytes = Self.bytes(MirrorUp.change(MirrorChange(Self.fullChange)))
        let spaced = Array(
            String(decoding: bytes, as: UTF8.self)
                .replacing(#""operations":"#, with: #""operations" : "#).utf8
        )
        guard case .change(let read) = try spaced.withView({ try MirrorUp($0) }) else { return }
        #expect(read.change.digest(by: anna) == Self.fullChange.digest(by: anna))
        #expect(
            read.change.digest(by: Caller(user: "anna", device: "d-2"))
                != Self.fullChange.digest(by: anna)
        )
        var other = Self.fullChange
        other.requires.removeLast()
        #expect(other.digest(by: anna) != Self.fullChange.digest(by: anna))
    }

    @Test("What a server says of itself is read as it is written")
    func server() throws {
        let document = ServerDocument(
            version: "1",
            databaseID: Sample.databaseID,
            application: "stockroom",
            head: Sample.position(5),
            chain: Sample.chain,
            oldest: Sample.position(0)
        )
        var buffer = ByteBuffer()
        document.append(to: &buffer)
        #expect(try buffer.array.withView { try ServerDocument($0) } == document)
    }
}
