import Foundation
import HoldfastBasics
import HoldfastJSONCoding
import Testing

/// Reads a document as a type, changes the value, and rewrites the document.
private func rewritten<T: Codable>(
    _ document: String,
    _: T.Type,
    _ change: (inout T) -> Void
) throws -> String {
    let stored = Array(document.utf8)
    let (encoder, decoder) = (RecordEncoder(), RecordDecoder())
    var value = try decoder.decode(T.self, from: stored)
    let old = try encoder.encode(value)
    change(&value)
    return try text(old, try encoder.encode(value), stored)
}

private func text(_ old: [UInt8], _ new: [UInt8], _ document: [UInt8]) throws -> String {
    try old.withView { old in
        try new.withView { new in
            try document.withView { document in
                let result = try JSONDifference.apply(differenceFrom: old, to: new, onto: document)
                return String(decoding: result, as: UTF8.self)
            }
        }
    }
}

private func difference(_ old: String, _ new: String, _ document: String) throws -> String {
    try text(Array(old.utf8), Array(new.utf8), Array(document.utf8))
}

private struct Pin: Codable, Equatable {
    var number: String
    var name: String?
}

private struct Symbol: Codable {
    var name: String
    var note: String?
    var pins: [Pin]
    var attributes: [String: Int]?
    var grid: [[Int]]?
}

@Suite struct DifferenceTests {
    @Test("An unchanged value leaves the document byte for byte")
    func unchanged() throws {
        let document =
            #"{"x":1,"name":"\u0041","note":null,"pins":[{"number":"1","shape":"dot"}],"y":{}}"#
        #expect(try rewritten(document, Symbol.self) { _ in } == document)
    }

    @Test("Unknown members survive beside known ones that change, come and go")
    func members() throws {
        let document = #"{"x":1,"name":"A","note":"old","pins":[],"y":{"z":[1]}}"#
        #expect(
            try rewritten(document, Symbol.self) {
                $0.name = "B"
                $0.note = nil
                $0.attributes = ["k": 1]
            } == #"{"x":1,"name":"B","pins":[],"y":{"z":[1]},"attributes":{"k":1}}"#
        )
    }

    @Test("Null and absent are kept as found")
    func nulls() throws {
        let document = #"{"name":"A","note":null,"pins":[]}"#
        #expect(
            try rewritten(document, Symbol.self) { $0.name = "B" }
                == #"{"name":"B","note":null,"pins":[]}"#
        )
        #expect(
            try rewritten(document, Symbol.self) { $0.note = "n" }
                == #"{"name":"A","note":"n","pins":[]}"#
        )
        #expect(
            try difference(#"{"a":null,"b":1}"#, #"{"a":null,"b":2}"#, #"{"b":1,"u":0}"#)
                == #"{"b":2,"u":0}"#
        )
        #expect(
            try difference(#"{"b":1}"#, #"{"b":2,"a":null}"#, #"{"b":1,"u":0}"#)
                == #"{"b":2,"u":0}"#
        )
        #expect(
            try difference(#"{"a":1,"u":0}"#, #"{"a":null,"u":0}"#, #"{"a":1,"v":2,"u":0}"#)
                == #"{"a":null,"v":2,"u":0}"#
        )
        #expect(
            try difference(#"{"a":null,"b":1}"#, #"{"b":2}"#, #"{"a":null,"b":1,"u":0}"#)
                == #"{"a":null,"b":2,"u":0}"#
        )
        // A default the document does not spell out.
        #expect(
            try difference(#"{"d":7,"b":1}"#, #"{"d":7,"b":2}"#, #"{"b":1,"u":0}"#)
                == #"{"b":2,"u":0}"#
        )
        #expect(
            try difference(#"{"d":7,"b":1}"#, #"{"d":8,"b":1}"#, #"{"b":1,"u":0}"#)
                == #"{"b":1,"u":0,"d":8}"#
        )
    }

    private let symbol =
        #"{"name":"A","pins":[{"number":"1","name":"in","s":1},{"number":"2","name":"out","s":2},{"number":"3","s":3}],"u":0}"#

    @Test("Elements keep their unknown members when others are removed, inserted, edited or moved")
    func elements() throws {
        func pins(_ change: (inout [Pin]) -> Void) throws -> String {
            let text = try rewritten(symbol, Symbol.self) { change(&$0.pins) }
            let start = text.firstRange(of: "[")?.lowerBound ?? text.startIndex
            let end = text.firstRange(of: "]")?.upperBound ?? text.endIndex
            #expect(text.hasSuffix(#","u":0}"#))
            return String(text[start..<end])
        }
        let (one, two, three) = (
            #"{"number":"1","name":"in","s":1}"#, #"{"number":"2","name":"out","s":2}"#,
            #"{"number":"3","s":3}"#
        )
        let fresh = Pin(number: "9", name: "new")
        let added = #"{"number":"9","name":"new"}"#
        #expect(try pins { $0.removeFirst() } == "[\(two),\(three)]")
        #expect(try pins { $0.remove(at: 1) } == "[\(one),\(three)]")
        #expect(try pins { $0.removeAll() } == "[]")
        #expect(try pins { $0.insert(fresh, at: 0) } == "[\(added),\(one),\(two),\(three)]")
        #expect(try pins { $0.insert(fresh, at: 2) } == "[\(one),\(two),\(added),\(three)]")
        #expect(
            try pins { $0[1].name = "o" }
                == "[\(one),{\"number\":\"2\",\"name\":\"o\",\"s\":2},\(three)]"
        )
        #expect(
            try pins { $0[2].name = "n" }
                == "[\(one),\(two),{\"number\":\"3\",\"s\":3,\"name\":\"n\"}]"
        )
        // Edited and shifted at once: recognised by what is still equal.
        #expect(
            try pins {
                $0.insert(fresh, at: 0)
                $0[1].name = "IN"
            } == "[\(added),{\"number\":\"1\",\"name\":\"IN\",\"s\":1},\(two),\(three)]"
        )
        #expect(
            try pins {
                $0.removeFirst()
                $0[0].number = "22"
                $0.append(fresh)
            } == "[{\"number\":\"22\",\"name\":\"out\",\"s\":2},\(three),\(added)]"
        )
        #expect(try pins { $0.swapAt(0, 2) }.contains(#""s":"#))
    }

    @Test("Nested arrays and dictionaries are followed, kinds that change are replaced")
    func nested() throws {
        let document =
            #"{"name":"A","pins":[],"attributes":{"b":2,"a":1},"grid":[[1,2],[3]],"u":[]}"#
        #expect(
            try rewritten(document, Symbol.self) {
                $0.attributes?["a"] = 5
                $0.grid?[1].append(4)
            } == #"{"name":"A","pins":[],"attributes":{"b":2,"a":5},"grid":[[1,2],[3,4]],"u":[]}"#
        )
        #expect(
            try difference(#"{"a":{"k":1}}"#, #"{"a":[1]}"#, #"{"a":{"k":1,"u":2},"v":3}"#)
                == #"{"a":[1],"v":3}"#
        )
        #expect(try difference("1", "2", "1.0") == "2")
        #expect(try difference("[1]", "[1,2]", #"[1,{"dropped":0}]"#) == "[1,2]")
    }

    @Test("Whatever is unknown survives any edit of what is known, at random")
    func random() throws {
        let maker = DocumentMaker(seed: 77)
        for _ in 0..<300 {
            var symbol = Symbol(name: "s", pins: (0..<maker.below(9)).map { Pin(number: "\($0)") })
            let known = try RecordEncoder().encode(symbol)
            // Each pin gets a secret of its own.
            var stored = String(decoding: known, as: UTF8.self)
            for pin in symbol.pins {
                stored = stored.replacing(
                    "{\"number\":\"\(pin.number)\"}",
                    with: "{\"secret\":\(pin.number),\"number\":\"\(pin.number)\"}"
                )
            }
            var survivors = Set(symbol.pins.map(\.number))
            for _ in 0..<maker.below(4) where !symbol.pins.isEmpty {
                let at = maker.below(symbol.pins.count)
                switch maker.below(3) {
                case 0: survivors.remove(symbol.pins.remove(at: at).number)
                case 1: symbol.pins.insert(Pin(number: "n\(maker.below(1000))", name: "x"), at: at)
                default: symbol.pins[at].name = symbol.pins[at].name ?? "e\(maker.below(9))"
                }
            }
            let result = try text(known, try RecordEncoder().encode(symbol), Array(stored.utf8))
            let read = try RecordDecoder().decode(Symbol.self, from: Array(result.utf8))
            #expect(read.pins == symbol.pins)
            struct Secret: Decodable { var pins: [[String: AnyValue]] }
            let pins = try RecordDecoder().decode(Secret.self, from: Array(result.utf8)).pins
            for pin in pins {
                guard case .string(let number)? = pin["number"], survivors.contains(number) else {
                    continue
                }
                #expect(pin["secret"] == Int(number).map { .integer($0) }, "\(result)")
            }
            #expect(try normalized(result).utf8.elementsEqual(result.utf8))
        }
    }

    @Test("Long arrays with few edits, and arrays with nothing in common, take reasonable time")
    func long() throws {
        func array(_ range: Range<Int>, secret: Bool) -> String {
            "["
                + range.map { secret ? "{\"n\":\($0),\"s\":0}" : "{\"n\":\($0)}" }.joined(
                    separator: ","
                ) + "]"
        }
        let old = array(0..<5000, secret: false)
        let new = array(2..<5000, secret: false).replacing("{\"n\":300}", with: "{\"n\":-300}")
        let result = try difference(old, new, array(0..<5000, secret: true))
        #expect(result.contains("{\"n\":-300,\"s\":0}") && result.hasPrefix("[{\"n\":2,\"s\":0}"))
        let other = array(10_000..<15_000, secret: false)
        #expect(
            try difference(old, other, array(0..<5000, secret: true)).utf8.count > other.utf8.count
        )
    }
}
