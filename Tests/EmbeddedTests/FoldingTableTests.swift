// The folding table is what Unicode 15 says, and whatever Unicode the library knows it stays that.
//
// `HOLDFAST_ACCEPT_FOLDING=1` with this filter writes the table anew; its version is then to be
// raised, so that what was indexed is indexed anew.
import Foundation
import Testing

@testable import HoldfastEmbedded

@Suite struct FoldingTableTests {
    /// Letters that are no letter with a mark, and the usual spelling.
    private static let spellings: [(folded: String, letters: String)] = [
        ("ae", "ÆæǢǣǼǽ"), ("b", "ƀƁɃɓ"), ("d", "ÐðĐđƉɖ"), ("dz", "ǄǅǆǱǲǳ"), ("f", "Ƒƒ"),
        ("ff", "ﬀ"), ("ffi", "ﬃ"), ("ffl", "ﬄ"), ("fi", "ﬁ"), ("fl", "ﬂ"), ("h", "Ħħ"),
        ("i", "ıƗɨ"), ("ij", "Ĳĳ"), ("j", "Ɉɉ"), ("k", "ĸ"), ("l", "ĿŀŁłƚȽ"), ("lj", "Ǉǈǉ"),
        ("n", "ŉŊŋ"), ("nj", "Ǌǋǌ"), ("o", "ØøǾǿ"), ("oe", "Œœ"), ("r", "Ɍɍ"), ("s", "ſẛ"),
        ("ss", "ßẞ"), ("st", "ﬅﬆ"), ("t", "Ŧŧ"), ("th", "Þþ"), ("y", "Ɏɏ"), ("z", "Ƶƶ"),
        ("β", "ϐ"), ("ε", "ϵ"), ("θ", "ϑ"), ("ι", "\u{1FBE}"), ("κ", "ϰ"), ("π", "ϖ"),
        ("ρ", "ϱ"), ("σ", "ς"), ("φ", "ϕ"),
    ]

    /// The blocks of combining marks that make no other letter of the one before them.
    private static let marks: [ClosedRange<UInt32>] = [
        0x300...0x36F, 0x483...0x487, 0x1AB0...0x1AFF, 0x1DC0...0x1DFF, 0x20D0...0x20FF,
        0xFE20...0xFE2F,
    ]

    private static func isMark(_ scalar: Unicode.Scalar) -> Bool {
        marks.contains { $0.contains(scalar.value) }
    }

    /// Everything of Unicode 15.
    private static let scalars: [Unicode.Scalar] = (UInt32(0)...0x10FFFF).compactMap { value in
        guard let scalar = Unicode.Scalar(value), let age = scalar.properties.age,
            (age.major, age.minor) <= (15, 0)
        else { return nil }
        return scalar
    }

    private static func isInWord(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter,
            .decimalNumber, .letterNumber, .otherNumber, .spacingMark, .nonspacingMark:
            !isMark(scalar)
        default: scalar.properties.isAlphabetic && !isMark(scalar)
        }
    }

    private static func decomposed(_ text: String) -> String.UnicodeScalarView {
        text.decomposedStringWithCanonicalMapping.unicodeScalars
    }

    /// The letters that are folded.
    private static let letters: [Unicode.Scalar: String] = {
        var letters: [Unicode.Scalar: String] = [:]
        for scalar in scalars where !isMark(scalar) && isInWord(scalar) && !scalar.isASCII {
            let parts = decomposed(String(scalar))
            let lower = scalar.properties.lowercaseMapping
            guard parts.contains(where: isMark) || lower != String(scalar) else { continue }
            var folded = String.UnicodeScalarView()
            for part in parts where !isMark(part) {
                folded += decomposed(part.properties.lowercaseMapping).filter { !isMark($0) }
            }
            if !folded.elementsEqual([scalar]) { letters[scalar] = String(folded) }
        }
        for (folded, others) in spellings {
            for scalar in others.unicodeScalars { letters[scalar] = folded }
        }
        return letters
    }()

    /// The parts of words, as ranges.
    private static let words: [ClosedRange<UInt32>] = {
        var ranges: [ClosedRange<UInt32>] = []
        for scalar in scalars where isInWord(scalar) {
            if let last = ranges.last, last.upperBound + 1 == scalar.value {
                ranges[ranges.count - 1] = last.lowerBound...scalar.value
            } else {
                ranges.append(scalar.value...scalar.value)
            }
        }
        return ranges
    }()

    @Test("The table has exactly the letters and the parts of words that Unicode 15 gives")
    func table() throws {
        if ProcessInfo.processInfo.environment["HOLDFAST_ACCEPT_FOLDING"] != nil {
            try Self.source.write(to: Self.file, atomically: true, encoding: .utf8)
            return
        }
        #expect(try String(contentsOf: Self.file, encoding: .utf8) == Self.source)
        #expect(FoldingTable.letters.count == Self.letters.count)
        for (scalar, folded) in Self.letters {
            let found = FoldingTable.letters[scalar] ?? "-"
            #expect(found.utf8.elementsEqual(folded.utf8), "\(scalar.value)")
        }
        var inWords = Set<UInt32>()
        for range in Self.words { inWords.formUnion(range) }
        for scalar in (UInt32(0)...0x10FFFF).lazy.compactMap({ Unicode.Scalar($0) })
        where FoldingTable.isInWord(scalar) != inWords.contains(scalar.value) {
            Issue.record("\(scalar.value)")
        }
    }

    @Test("Folding what is folded changes nothing; capitals fold as their small letters do")
    func folds() {
        for scalar in Self.scalars where Self.isInWord(scalar) {
            let once = TextFolding.words(of: String(scalar))
            #expect(once.count == 1, "\(scalar.value)")
            #expect(TextFolding.words(of: once.joined()) == once, "\(scalar.value)")
            let lower = TextFolding.words(of: scalar.properties.lowercaseMapping)
            #expect(lower == once, "\(scalar.value)")
            // Also written as a letter and its marks.
            guard FoldingTable.letters[scalar] != nil else { continue }
            let parts = TextFolding.words(of: String(Self.decomposed(String(scalar))))
            #expect(parts == once, "\(scalar.value)")
        }
    }

    @Test("What Unicode 15 does not know separates words, whatever the library knows")
    func later() {
        // U+1C89 is a letter since Unicode 16, U+0378 is none, U+E000 is anybody's.
        for scalar in ["\u{1C89}", "\u{378}", "\u{E000}", "\u{1F600}"] {
            #expect(TextFolding.words(of: "a\(scalar)b") == ["a", "b"])
        }
        #expect(TextFolding.words(of: "\u{301}a\u{301}\u{300}b\u{20D7} \u{301}") == ["ab"])
        #expect(TextFolding.words(of: "漢字 한국 עברית ไทย") == ["漢字", "한국", "עברית", "ไทย"])
    }

    // MARK: The source

    private static let file = URL(filePath: #filePath)
        .deletingLastPathComponent()
        .appending(path: "../../Sources/Embedded/FoldingTable.swift")

    private static var source: String {
        let byFolded = Dictionary(grouping: letters, by: { Array($0.value.unicodeScalars) })
        let entries = byFolded.map { folded, letters in
            (folded, letters.map(\.key).sorted())
        }.sorted { $0.0.lexicographicallyPrecedes($1.0) }
        let folds = entries.flatMap { folded, letters in
            // What needs more than a line is given again.
            stride(from: 0, to: letters.count, by: 40).map { start -> String in
                var text = "".unicodeScalars
                text += folded
                text.append(" ")
                text += letters[start..<min(start + 40, letters.count)]
                return String(text) + ","
            }
        }
        var last: UInt32 = 0
        let ranges = words.map { range -> String in
            defer { last = range.upperBound }
            return String(range.lowerBound - last, radix: 36) + "+"
                + String(range.upperBound - range.lowerBound, radix: 36)
        }
        return """
            // Letters and what they are searched by: lower case, without marks.
            //
            // Generated from Unicode 15.0 by FoldingTableTests: the lower case of a letter's canonical
            // decomposition without its combining marks, and for letters that do not decompose the usual
            // spelling. Parts of words are letters, digits, numbers, and marks of other scripts. Indexed
            // text depends on this table alone, not on the Unicode of a library.

            /// What letters are searched by, and what words are made of.
            enum FoldingTable {
                /// Counts changes of the table and of how words are made by it: what was indexed is then
                /// indexed anew.
                static let version = 2

                /// Folded form, blank, the letters that fold to it; entries are separated by commas.
                static let folds = \"\"\"
            \(lines(folds))
                    \"\"\"

                /// The parts of words as ranges of scalars, ascending: how far a range begins behind the last
                /// scalar of the one before, `+`, how many scalars more it has, both to the base of 36.
                static let ranges = \"\"\"
            \(lines(ranges))
                    \"\"\"
            }

            """
    }

    /// Pieces in lines of at most 100 columns.
    private static func lines(_ pieces: [String]) -> String {
        var lines: [[Unicode.Scalar]] = []
        for piece in pieces.map({ Array($0.unicodeScalars) }) {
            if let last = lines.last, last.count + 1 + piece.count <= 90 {
                lines[lines.count - 1] += [" "] + piece
            } else {
                lines.append(piece)
            }
        }
        return lines.map { line in
            "        " + String(String.UnicodeScalarView(line))
        }.joined(separator: "\n")
    }
}
