// The table of codes, and problems as they are written.
import HoldfastBasics
import HoldfastRecords
import HoldfastWire
import Testing

@Suite struct ProblemTests {
    /// As 3-api.md and openapi.yaml have them.
    static let statuses: [(Int, [RefusalCode])] = [
        (
            400,
            [
                .badKey, .revisionRequired, .badRequest, .badJSON, .badHeader,
                .unsupportedParameter, .badParameter, .hashMismatch,
            ]
        ),
        (401, [.tokenMissing, .tokenUnknown, .tokenEnded]),
        (403, [.outsideRange, .systemTree, .forbiddenOrigin, .forbidden]),
        (
            404,
            [
                .unknownTree, .notFound, .unknownBorrow, .unknownSnapshot, .noRoute, .unknownToken,
                .unknownFile,
            ]
        ),
        (405, [.methodNotAllowed]),
        (408, [.requestTimeout]),
        (
            409,
            [
                .idTaken, .borrowMismatch, .lineFull, .released, .notReleased, .badState, .unique,
                .schemaTooOld, .incompatible, .diverged, .requirementMissing,
                .lostByRestore, .notHealing, .lastAdmin, .changedSince, .notUndoable,
                .offsetMismatch,
            ]
        ),
        (410, [.deleted, .borrowEnded, .compacted]),
        (412, [.exists, .stale]),
        (413, [.tooLarge]),
        (415, [.unsupportedMediaType]),
        (416, [.badRange]),
        (421, [.wrongDatabase]),
        (
            422,
            [
                .unknownField, .invalidField, .unknownSchema, .badDefinition, .unsupported,
                .idempotencyMismatch, .badBody, .reasonRequired, .fileMissing,
            ]
        ),
        (423, [.borrowed]),
        (426, [.upgradeRequired]),
        (428, [.preconditionRequired]),
        (429, [.tooManyRequests]),
        (431, [.headTooLarge]),
        (500, [.internalError]),
        (501, [.unknownMethod]),
        (503, [.readOnly, .healing, .notYet, .busy, .stopping]),
        (504, [.outcomeUnknown]),
        (507, [.full, .keysExhausted]),
    ]

    @Test("Every code has the one status of the contract")
    func everyStatus() {
        var seen: Set<RefusalCode> = []
        for (status, codes) in Self.statuses {
            for code in codes {
                #expect(code.problem.status == status, "\(code.rawValue)")
                #expect(seen.insert(code).inserted)
            }
        }
        #expect(seen == Set(RefusalCode.allCases))
    }

    @Test("Every code has a text and a title of its own")
    func unique() {
        let codes = RefusalCode.allCases
        #expect(Set(codes.map(\.rawValue)).count == codes.count)
        #expect(Set(codes.map(\.problem.title)).count == codes.count)
        for code in codes {
            #expect(code.rawValue.wholeMatch(of: /[a-z]+(-[a-z]+)*/) != nil)
            #expect(code.problem.title.first?.isUppercase == true)
            #expect(code.problem.title.last != ".")
        }
    }

    @Test("A borrowed record's problem is the contract's example")
    func borrowed() throws {
        let detail = "anna on PC-12 holds parts 12.0. Join the line with \"queue\": true."
        var refusal = Refusal(.borrowed, detail, field: "number", borrow: Sample.facts)
        refusal.operation = 0
        let text = try written { buffer in
            Array(Sample.envelopeJSON.utf8).withView {
                Problem(refusal).append(to: &buffer, current: $0)
            }
        }
        let expected =
            #"{"type":"https://holdfast.example/problems/borrowed","title":"The record is borrowed","#
            + #""status":423,"code":"borrowed","detail":"anna on PC-12 holds parts 12.0. Join the "#
            + #"line with \"queue\": true.","operation":0,"field":"number","borrow":"#
            + Sample.factsJSON + #","current":"# + Sample.envelopeJSON + "}"
        #expect(text == expected)
    }

    @Test("An ended borrow names who ended it, when and how")
    func ended() throws {
        let ending = Ending(
            stamp: Stamp(at: Sample.modified, user: "anna", device: "PC-12"),
            label: .return
        )
        let refusal = Refusal(.borrowEnded, "Borrow anew.", ended: ending)
        let text = try written { Problem(refusal).append(to: &$0) }
        let expected =
            #"{"type":"https://holdfast.example/problems/borrow-ended","title":"The borrow ended","#
            + #""status":410,"code":"borrow-ended","detail":"Borrow anew.","#
            + #""ended":{"by":"anna","device":"PC-12","at":"2026-11-20T10:04:31.900Z","#
            + #""why":"return"}}"#
        #expect(text == expected)
    }

    @Test("Rules, the oldest position and another status stand where they belong")
    func others() throws {
        let rules = Refusal(.incompatible, "No.", rules: ["a", "b \"c\""])
        #expect(
            try written { Problem(rules).append(to: &$0) }.contains(#""rules":["a","b \"c\""]}"#)
        )
        let old = Refusal(.compacted, "No.")
        #expect(
            try written { Problem(old).append(to: &$0, oldest: Sample.position(7)) }
                .contains(#","oldest":"7t3k9x2m4q8wr:7"}"#)
        )
        let head = Refusal(.badRequest, "No.")
        #expect(
            try written { Problem(head).append(to: &$0, status: 505) }
                .contains(#""status":505,"code":"bad-request""#)
        )
    }

    @Test("A fact that the table does not give a code is not shown")
    func noOtherFacts() throws {
        let refusal = Refusal(.badKey, "No.", borrow: Sample.facts, rules: ["a"])
        let text = try written { buffer in
            [UInt8]("{}".utf8).withView {
                Problem(refusal).append(to: &buffer, current: $0, oldest: Sample.position(1))
            }
        }
        let expected =
            #"{"type":"https://holdfast.example/problems/bad-key","title":"Not a key of this tree","#
            + #""status":400,"code":"bad-key","detail":"No."}"#
        #expect(text == expected)
    }
}
