// CSV as it is written. Source: RFC 4180; in UTF-8, lines end in CR LF.
//
// A text goes out as it is: what a spreadsheet would take for a formula is not changed, as whoever
// reads it back would get another text.
public import HoldfastBasics

extension ByteBuffer {
    /// Appends a cell, in quotes where it needs them: an empty text does, to differ from nothing.
    ///
    /// - Parameter text: What it holds, UTF-8.
    public mutating func appendCSV(_ text: ByteView) {
        guard Self.needsQuotes(text) else { return append(text) }
        append("\"")
        for index in 0..<text.count {
            append(text[index])
            if text[index] == UInt8(ascii: "\"") { append("\"") }
        }
        append("\"")
    }

    /// Appends a row.
    ///
    /// - Parameter texts: Its cells.
    public mutating func appendCSV(row texts: [String]) {
        for (index, text) in texts.enumerated() {
            if index > 0 { append(",") }
            Array(text.utf8).withView { appendCSV($0) }
        }
        append("\r\n")
    }

    private static func needsQuotes(_ text: ByteView) -> Bool {
        guard !text.isEmpty, !isBlank(text[0]), !isBlank(text[text.count - 1]) else { return true }
        for index in 0..<text.count {
            switch text[index] {
            case UInt8(ascii: ","), UInt8(ascii: "\""), UInt8(ascii: "\r"), UInt8(ascii: "\n"):
                return true
            default: continue
            }
        }
        return false
    }

    /// Many readers take blanks off the ends of a cell without quotes.
    private static func isBlank(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t")
    }
}
