// Reads KiCad's S-expressions, leaving out what only says how a symbol is drawn.
//
// Source: KiCad, "Symbol library file format", format 20211014.
import Foundation

/// A word or a list of an S-expression.
indirect enum Expression {
    case word(String)
    case list([Expression])

    /// The words and lists inside; empty for a word.
    var items: [Expression] {
        guard case .list(let items) = self else { return [] }
        return items
    }

    /// The word at a place inside; nil when there is none.
    func word(_ index: Int) -> String? {
        guard items.indices.contains(index), case .word(let word) = items[index] else { return nil }
        return word
    }

    /// The lists directly inside that begin with a word.
    func lists(_ head: String) -> [Expression] { items.filter { $0.word(0) == head } }
}

/// A file that is no symbol library.
struct SymbolProblem: Error, CustomStringConvertible {
    let file: String
    let what: String
    var description: String { "\(file): \(what)" }
}

/// Takes one file apart.
struct SymbolReader {
    private let file: String
    private let bytes: [UInt8]
    private var offset = 0

    private static let drawing: Set<String> = [
        "at", "effects", "offset", "size", "length", "width", "stroke", "fill", "pts", "polyline",
        "rectangle", "arc", "circle", "text", "xy", "color", "start", "mid", "end", "radius",
        "center", "id",
    ]

    init(_ url: URL) throws {
        file = url.lastPathComponent
        bytes = Array(try Data(contentsOf: url))
    }

    /// The whole file as one list.
    mutating func library() throws -> Expression {
        skipBlanks()
        guard next() == UInt8(ascii: "("), let root = try list(), root.word(0) == "kicad_symbol_lib"
        else { throw problem("not a KiCad symbol library") }
        skipBlanks()
        guard offset == bytes.count else { throw problem("something follows the library") }
        return root
    }

    /// A list whose parenthesis has been read; nil when it is drawing.
    private mutating func list() throws -> Expression? {
        var items: [Expression] = []
        while true {
            skipBlanks()
            guard let byte = next() else { throw problem("a list is not closed") }
            switch byte {
            case UInt8(ascii: ")"): return .list(items)
            case UInt8(ascii: "("):
                if let inner = try list() { items.append(inner) }
            case UInt8(ascii: "\""): items.append(.word(try text()))
            default:
                let word = word()
                if items.isEmpty, Self.drawing.contains(word) {
                    try skipList()
                    return nil
                }
                items.append(.word(word))
            }
        }
    }

    /// Goes behind the list that has been entered.
    private mutating func skipList() throws {
        var depth = 1
        while depth > 0 {
            guard let byte = next() else { throw problem("a list is not closed") }
            if byte == UInt8(ascii: "(") { depth += 1 }
            if byte == UInt8(ascii: ")") { depth -= 1 }
            if byte == UInt8(ascii: "\"") { _ = try text() }
        }
    }

    private mutating func text() throws -> String {
        var result: [UInt8] = []
        while let byte = next() {
            if byte == UInt8(ascii: "\"") { return String(decoding: result, as: UTF8.self) }
            guard byte == UInt8(ascii: "\\"), let escaped = next() else {
                result.append(byte)
                continue
            }
            switch escaped {
            case UInt8(ascii: "n"): result.append(10)
            case UInt8(ascii: "r"): result.append(13)
            case UInt8(ascii: "t"): result.append(9)
            default: result.append(escaped)
            }
        }
        throw problem("a string is not closed")
    }

    /// The word whose first byte has been read.
    private mutating func word() -> String {
        let start = offset - 1
        while offset < bytes.count, !Self.ends(bytes[offset]) { offset += 1 }
        return String(decoding: bytes[start..<offset], as: UTF8.self)
    }

    private static func ends(_ byte: UInt8) -> Bool {
        byte <= 32 || byte == UInt8(ascii: "(") || byte == UInt8(ascii: ")")
            || byte == UInt8(ascii: "\"")
    }

    private mutating func skipBlanks() {
        while offset < bytes.count, bytes[offset] <= 32 { offset += 1 }
    }

    private mutating func next() -> UInt8? {
        guard offset < bytes.count else { return nil }
        defer { offset += 1 }
        return bytes[offset]
    }

    private func problem(_ what: String) -> SymbolProblem {
        SymbolProblem(file: file, what: "\(what), at byte \(offset)")
    }
}
