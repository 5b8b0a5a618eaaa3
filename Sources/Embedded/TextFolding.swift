// Words as text search compares them.
internal import HoldfastBasics
internal import HoldfastJSONCoding

/// How text becomes words that are searched by.
enum TextFolding {
    /// The words of a text, in lower case and without marks, in their order.
    ///
    /// Letters and digits make words, everything else separates them; combining marks are passed
    /// over. A composed letter and the same letter with its mark behind it fold alike.
    static func words(of text: String) -> [String] {
        var words: [String] = []
        var word = ""
        for scalar in text.unicodeScalars {
            switch scalar.value {
            case 0x30...0x39, 0x61...0x7A: word.unicodeScalars.append(scalar)
            case 0x41...0x5A: word.unicodeScalars.append(Unicode.Scalar(UInt8(scalar.value + 32)))
            case 0..<0x80: end(&word, &words)
            // Marks that stand behind the letter they belong to.
            case 0x300...0x36F, 0x483...0x487, 0x1AB0...0x1AFF, 0x1DC0...0x1DFF, 0x20D0...0x20FF,
                0xFE20...0xFE2F:
                continue
            default:
                if let folded = FoldingTable.letters[scalar] {
                    word.unicodeScalars += folded.unicodeScalars
                } else if FoldingTable.isInWord(scalar) {
                    word.unicodeScalars.append(scalar)
                } else {
                    end(&word, &words)
                }
            }
        }
        end(&word, &words)
        return words
    }

    private static func end(_ word: inout String, _ words: inout [String]) {
        guard !word.isEmpty else { return }
        words.append(word)
        word = ""
    }

    /// The words of all strings inside a JSON value.
    static func words(ofJSON bytes: ByteView) -> [String] {
        var all: [String] = []
        var scanner = JSONScanner(bytes)
        do throws(JSONError) {
            try collect(&scanner, &all)
        } catch {
            // Stored values are JSON; a damaged one is found by the words before the damage.
            return all
        }
        return all
    }

    private static func collect(
        _ scanner: inout JSONScanner,
        _ all: inout [String]
    ) throws(JSONError) {
        switch try scanner.peekKind() {
        case .string: all += words(of: try scanner.readString().text ?? "")
        case .number: all += words(of: try scanner.skipValue().text)
        case .array:
            try scanner.enterArray()
            while try scanner.nextElement() { try collect(&scanner, &all) }
        case .object:
            try scanner.enterObject()
            while try scanner.nextMember() != nil { try collect(&scanner, &all) }
        default: _ = try scanner.skipValue()
        }
    }
}

extension TextFolding {
    /// The words of one member of a stored document; none when there is no such member.
    static func words(ofMember name: ByteView, in document: ByteView) -> [String] {
        do throws(JSONError) {
            return try JSONScanner.member(named: name, in: document).map { words(ofJSON: $0) } ?? []
        } catch {
            // As above: a damaged document has no words.
            return []
        }
    }
}

extension FoldingTable {
    /// Letter to folded form, for letters that change.
    static let letters: [Unicode.Scalar: String] = {
        var letters: [Unicode.Scalar: String] = [:]
        var (folded, isFolded) = ("", true)
        for scalar in folds.unicodeScalars {
            switch scalar {
            case ",", "\n": (folded, isFolded) = ("", true)
            case " ": isFolded = folded.isEmpty
            default:
                if isFolded {
                    folded.unicodeScalars.append(scalar)
                } else {
                    letters[scalar] = folded
                }
            }
        }
        return letters
    }()

    /// Where the ranges of `ranges` begin and end.
    private static let bounds: [ClosedRange<UInt32>] = {
        var last: UInt32 = 0
        return ranges.split(whereSeparator: { $0 == " " || $0 == "\n" }).map { range in
            let numbers = range.split(separator: "+").map { UInt32($0, radix: 36) ?? 0 }
            precondition(numbers.count == 2, "the table of word parts is not whole")
            let first = last + numbers[0]
            last = first + numbers[1]
            return first...last
        }
    }()

    /// Whether a letter, digit or mark is a part of words.
    static func isInWord(_ scalar: Unicode.Scalar) -> Bool {
        var (low, high) = (0, bounds.count)
        while low < high {
            let middle = (low + high) / 2
            if bounds[middle].upperBound < scalar.value { low = middle + 1 } else { high = middle }
        }
        return low < bounds.count && bounds[low].lowerBound <= scalar.value
    }
}
