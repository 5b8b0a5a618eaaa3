import Foundation
import HoldfastBasics
import HoldfastJSONCoding
import Testing

private func patched(_ target: String, _ patch: String) throws -> String {
    try Array(target.utf8).withView { target in
        try Array(patch.utf8).withView { patch in
            String(decoding: try JSONMergePatch.apply(patch: patch, to: target), as: UTF8.self)
        }
    }
}

@Suite struct MergePatchTests {
    /// RFC 7396, appendix A: original, patch, result.
    static let appendix: [(String, String, String)] = [
        (#"{"a":"b"}"#, #"{"a":"c"}"#, #"{"a":"c"}"#),
        (#"{"a":"b"}"#, #"{"b":"c"}"#, #"{"a":"b","b":"c"}"#),
        (#"{"a":"b"}"#, #"{"a":null}"#, #"{}"#),
        (#"{"a":"b","b":"c"}"#, #"{"a":null}"#, #"{"b":"c"}"#),
        (#"{"a":["b"]}"#, #"{"a":"c"}"#, #"{"a":"c"}"#),
        (#"{"a":"c"}"#, #"{"a":["b"]}"#, #"{"a":["b"]}"#),
        (#"{"a":{"b":"c"}}"#, #"{"a":{"b":"d","c":null}}"#, #"{"a":{"b":"d"}}"#),
        (#"{"a":[{"b":"c"}]}"#, #"{"a":[1]}"#, #"{"a":[1]}"#),
        (#"["a","b"]"#, #"["c","d"]"#, #"["c","d"]"#),
        (#"{"a":"b"}"#, #"["c"]"#, #"["c"]"#),
        (#"{"a":"foo"}"#, #"null"#, #"null"#),
        (#"{"a":"foo"}"#, #""bar""#, #""bar""#),
        (#"{"e":null}"#, #"{"a":1}"#, #"{"e":null,"a":1}"#),
        (#"[1,2]"#, #"{"a":"b","c":null}"#, #"{"a":"b"}"#),
        (#"{}"#, #"{"a":{"bb":{"ccc":null}}}"#, #"{"a":{"bb":{}}}"#),
    ]

    @Test("The examples of RFC 7396 come out as printed", arguments: appendix)
    func examples(target: String, patch: String, wanted: String) throws {
        #expect(try patched(target, patch) == wanted)
    }

    @Test(
        "Order and bytes of the target stay, names compare after unescaping, null in arrays stays"
    )
    func details() throws {
        #expect(
            try patched(
                #"{"z":1.0,"y":"\u0041","x":{"q":1}}"#,
                #" { "new" : [ null ] , "\u0078" : { "r" : 2 }, "z": null } "#
            )
                == #"{"y":"\u0041","x":{"q":1,"r":2},"new":[null]}"#
        )
        let many = (0..<40).map { "\"n\($0)\":\($0)" }.joined(separator: ",")
        #expect(
            try patched("{\(many)}", #"{"n7":null,"\u006e8":"x"}"#)
                == "{\(many)}"
                .replacing("\"n7\":7,", with: "").replacing("\"n8\":8,", with: "\"n8\":\"x\",")
        )
        #expect(throws: JSONError.self) { try patched("{}", #"{"a":1,"a":2}"#) }
        #expect(throws: JSONError.self) { try patched("{}", "{") }
    }
}

@Suite struct PrinterTests {
    @Test("A document is laid out over lines and normalises back to itself")
    func layout() throws {
        let text = Array(#"{"a":[1,{"b":"x,{}\":["}],"c":{},"d":[],"e":[[]]}"#.utf8)
        let pretty = text.withView { JSONPrinter.pretty($0) }
        #expect(
            pretty == """
                {
                  "a": [
                    1,
                    {
                      "b": "x,{}\\":["
                    }
                  ],
                  "c": {},
                  "d": [],
                  "e": [
                    []
                  ]
                }
                """
        )
        let maker = DocumentMaker(seed: 8)
        for _ in 0..<500 {
            let document = maker.document()
            let lines = Array(document.utf8).withView { JSONPrinter.pretty($0) }
            #expect(try normalized(lines).utf8.elementsEqual(document.utf8))
        }
    }
}
