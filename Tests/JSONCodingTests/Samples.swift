import Foundation
import HoldfastBasics
import HoldfastJSONCoding

/// A text normalised, as text; throws what the normaliser throws.
func normalized(_ text: String) throws(JSONError) -> String {
    try normalized(Array(text.utf8))
}

func normalized(_ bytes: [UInt8]) throws(JSONError) -> String {
    do {
        return try bytes.withView {
            String(decoding: try JSONNormalizer.normalized($0), as: UTF8.self)
        }
    } catch let error as JSONError {
        throw error
    } catch {
        preconditionFailure("\(error)")
    }
}

/// Random documents, the same for the same seed.
struct DocumentMaker {
    let random: SeededRandom

    init(seed: UInt64) { random = SeededRandom(seed: seed) }

    func below(_ limit: Int) -> Int { Int(random.next() % UInt64(limit)) }

    /// A compact document; member names differ within each object.
    func document(depth: Int = 4) -> String {
        switch below(depth > 0 ? 9 : 6) {
        case 0: return "null"
        case 1: return below(2) == 0 ? "true" : "false"
        case 2, 3: return number()
        case 4, 5: return string()
        case 6, 7:
            let count = below(6)
            let members = (0..<count).map { "\(string(tag: $0)):\(document(depth: depth - 1))" }
            return "{" + members.joined(separator: ",") + "}"
        default:
            return "["
                + (0..<below(6)).map { _ in document(depth: depth - 1) }.joined(separator: ",")
                + "]"
        }
    }

    func number() -> String {
        switch below(5) {
        case 0: return String(Int64(bitPattern: random.next()))
        case 1: return String(random.next())
        case 2: return String(below(1000) - 500)
        case 3:
            return "\(below(2000) - 1000).\(below(1000))e\(["", "+", "-"][below(3)])\(below(30))"
        default:
            let value = Double(bitPattern: random.next())
            return value.isFinite ? "\(value)" : "-0.0"
        }
    }

    func string(tag: Int? = nil) -> String {
        let pieces = [
            "a", "Z", "0", " ", "\\n", "\\\"", "\\\\", "\\/", "\\u0041", "\\ud83d\\ude00", "ü",
            "€", "😀", "\u{10FFFF}", "e\u{301}", "/", "part", "resistor 10k ", "\\u0000",
        ]
        let body = (0..<below(9)).map { _ in pieces[below(pieces.count)] }.joined()
        return "\"" + (tag.map { "\($0)_" } ?? "") + body + "\""
    }

    /// The same document with white space between its tokens.
    func spread(_ document: String) -> String {
        var out = blank()
        var inString = false
        var isEscaped = false
        for scalar in document.unicodeScalars {
            let isStructure = !inString && "{}[],:".unicodeScalars.contains(scalar)
            if isStructure { out += blank() }
            out.unicodeScalars.append(scalar)
            if isStructure { out += blank() }
            if isEscaped {
                isEscaped = false
            } else if scalar == "\\" {
                isEscaped = true
            } else if scalar == "\"" {
                inString.toggle()
            }
        }
        return out + blank()
    }

    private func blank() -> String {
        (0..<below(4)).map { _ in [" ", "\n", "\r", "\t"][below(4)] }.joined()
    }
}

/// Foundation's reading of a text, or nil when it refuses it.
func oracle(_ bytes: [UInt8]) -> NSObject? {
    (try? JSONSerialization.jsonObject(with: Data(bytes), options: .fragmentsAllowed)) as? NSObject
}
