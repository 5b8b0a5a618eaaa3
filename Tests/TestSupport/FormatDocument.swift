// FORMAT.md as tests read it: hexadecimal dumps with a heading, and rows of words.
internal import Foundation
internal import Testing

/// A section of FORMAT.md.
public struct FormatDocument {
    private let lines: [Substring]

    /// Reads a section of Sources/CommitLog/FORMAT.md.
    ///
    /// - Throws: When there is none.
    public init(section title: String) throws {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
        let url = root.appendingPathComponent("Sources/CommitLog/FORMAT.md")
        let text = try String(contentsOf: url, encoding: .utf8)
        let parts = text.components(separatedBy: "\n## \(title)\n")
        try #require(parts.count == 2, "FORMAT.md has one section “\(title)”")
        let body = try #require(parts[1].components(separatedBy: "\n## ").first)
        lines = body.split(separator: "\n").map { Substring($0) }
    }

    /// The dumps below a line that is `word` and a name: lines of offset, bytes and words.
    ///
    /// - Throws: When a line is not where its offset says.
    public func dumps(_ word: String) throws -> [String: [UInt8]] {
        var dumps: [String: [UInt8]] = [:]
        var name = ""
        for line in lines {
            if line.hasPrefix(word + " ") {
                name = line.split(separator: " ").map(String.init)[1]
                dumps[name] = []
            }
            let columns = line.components(separatedBy: "  ")
            guard columns[0].count == 4, let offset = Int(columns[0], radix: 16) else { continue }
            try #require(offset == dumps[name]?.count, "offset of “\(line)”")
            let bytes = columns[1].split(separator: " ").map { UInt8($0, radix: 16) }
            try #require(!bytes.isEmpty && !bytes.contains(nil), "bytes of “\(line)”")
            dumps[name]?.append(contentsOf: bytes.compactMap { $0 })
        }
        return dumps
    }

    /// The rows that begin with a word, without it, each split in at most so many columns.
    ///
    /// - Throws: When there are none, or a row has fewer columns.
    public func rows(_ word: String, columns: Int) throws -> [[String]] {
        let rows = lines.filter { $0.hasPrefix(word + " ") }.map { line in
            line.dropFirst(word.count + 1).split(separator: " ", maxSplits: columns - 1)
                .map(String.init)
        }
        try #require(!rows.isEmpty, "there are rows “\(word)”")
        for row in rows { try #require(row.count == columns, "columns of “\(word)” \(row)") }
        return rows
    }
}

/// Bytes from hexadecimal digits; `-` stands for none.
///
/// - Throws: When they are not.
public func bytes(hexadecimal text: String) throws -> [UInt8] {
    guard text != "-" else { return [] }
    let digits = Array(text)
    try #require(digits.count % 2 == 0, "pairs of digits")
    return try stride(from: 0, to: digits.count, by: 2).map {
        try #require(UInt8(String(digits[$0...$0 + 1]), radix: 16), "digits of “\(text)”")
    }
}
