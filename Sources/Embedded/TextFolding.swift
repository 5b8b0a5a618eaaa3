// Words as text search compares them.
internal import HoldfastBasics
internal import HoldfastJSONCoding

/// How text becomes words that are searched by.
enum TextFolding {
    /// The words of a text, in lower case and without marks, in their order.
    ///
    /// Letters and digits make words, everything else separates them. A composed letter and the
    /// same letter with its mark behind it fold alike.
    static func words(of text: String) -> [String] {
        var words: [String] = []
        var word = ""
        for scalar in text.unicodeScalars {
            switch scalar.value {
            case 0x30...0x39, 0x61...0x7A: word.unicodeScalars.append(scalar)
            case 0x41...0x5A: word.unicodeScalars.append(Unicode.Scalar(UInt8(scalar.value + 32)))
            case 0..<0x80: end(&word, &words)
            // Marks that stand behind the letter they belong to.
            case 0x300...0x36F: continue
            default: append(scalar, to: &word, &words)
            }
        }
        end(&word, &words)
        return words
    }

    private static func append(
        _ scalar: Unicode.Scalar,
        to word: inout String,
        _ words: inout [String]
    ) {
        if let folded = FoldingTable.letters[scalar] {
            word += folded
        } else if scalar.properties.isAlphabetic || scalar.properties.numericType != nil {
            word.unicodeScalars.append(scalar)
        } else {
            end(&word, &words)
        }
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
