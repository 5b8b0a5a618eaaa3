// CSV is read as RFC 4180 has it, however its bytes are cut, and what is written is read back.
import HoldfastBasics
import HoldfastTestSupport
import HoldfastWire
import Testing

@Suite struct CSVTests {
    /// The rows of a text that comes in pieces.
    private func rows(
        _ text: [UInt8],
        cutAt cuts: [Int] = [],
        rowByteCountMax: Int = 1000
    ) -> [CSVReader.Row] {
        var reader = CSVReader(rowByteCountMax: rowByteCountMax)
        var rows: [CSVReader.Row] = []
        var start = 0
        for cut in cuts + [text.count] {
            Array(text[start..<cut]).withView { reader.read($0) { rows.append($0) } }
            start = cut
        }
        reader.end { rows.append($0) }
        return rows
    }

    /// A row in one line: its number, its cells (an empty one in quotes as `""`), its fault.
    private func told(_ row: CSVReader.Row) -> String {
        let cells = row.cells.map { cell in
            let text = String(decoding: cell.bytes, as: UTF8.self)
            return cell.isQuoted && text.isEmpty ? "\"\"" : text
        }
        return "\(row.line):" + cells.joined(separator: "|") + (row.fault.map { "!\($0)" } ?? "")
    }

    private func told(_ text: String) -> [String] { rows(Array(text.utf8)).map(told) }

    @Test("rows, cells, quotes and empty lines")
    func reads() {
        #expect(told("a,b\r\n1,2\r\n") == ["1:a|b", "2:1|2"])
        #expect(told("a,b\n1,2") == ["1:a|b", "2:1|2"])
        #expect(told("a,\n,\n") == ["1:a|", "2:|"])
        #expect(told("\n\r\na\n\n\nb\n") == ["3:a", "6:b"])
        #expect(told("\"\"\n\n\"\",") == ["1:\"\"", "3:\"\"|"])
        #expect(told("\"a\"\"b\",\"c,\r\nd\"\nx") == ["1:a\"b|c,\r\nd", "3:x"])
        #expect(told("") == [])
        #expect(told("\u{FEFF}a\n\u{FEFF}b\n") == ["1:a", "2:\u{FEFF}b"])
        #expect(told("\u{FF21}a") == ["1:\u{FF21}a"])
    }

    @Test("what breaks the rules spoils its row alone")
    func faults() {
        #expect(told("a\"b,c\nd\n") == ["1:!quote", "2:d"])
        #expect(told("\"a\"b\nd\n") == ["1:!quote", "2:d"])
        #expect(told("x\n\"a\nb") == ["1:x", "2:!open"])
        #expect(told("a\rb\nc\n") == ["1:!carriageReturn", "2:c"])
        #expect(told("a\r") == ["1:!carriageReturn"])
        #expect(rows([0x61, 0xFF, 0x0A, 0x62]).map(told).last == "2:b")
        #expect(rows([0x61, 0xFF, 0x0A, 0x62]).first?.fault == .notUTF8)
        #expect(rows([0xEF, 0xBB]).first?.fault == .notUTF8)
        let long = [UInt8](repeating: 0x61, count: 2000) + Array("\nb".utf8)
        #expect(rows(long).map(told) == ["1:!tooLong", "2:b"])
        let commas = [UInt8](repeating: 0x2C, count: 2000) + Array("\nb".utf8)
        #expect(rows(commas).map(told) == ["1:!tooLong", "2:b"])
    }

    @Test("where bytes are cut makes no difference")
    func cuts() {
        let alphabet = Array("a,\"\"\r\n\n,b\u{FEFF}\u{FF21}".utf8)
        Seed.each(2000) { seed, random in
            let text = (0..<random.below(24)).map { _ in alphabet[random.below(alphabet.count)] }
            let cuts = (0..<3).map { _ in random.below(text.count + 1) }.sorted()
            let whole = rows(text).map(told)
            #expect(rows(text, cutAt: cuts).map(told) == whole, "seed \(seed), \(text) at \(cuts)")
        }
    }

    @Test("what is written is read back, and an empty text differs from nothing")
    func writes() {
        let pieces = ["a", ",", "\"", "\r", "\n", " ", "\t", "=", "\u{E9}", "\u{FEFF}", ""]
        Seed.each(500) { seed, random in
            let table = (0..<4).map { _ in
                (0..<3).map { _ in
                    (0..<random.below(4)).map { _ in pieces[random.below(pieces.count)] }.joined()
                }
            }
            var buffer = ByteBuffer()
            buffer.appendCSV(row: ["a", "b", "c"])
            for row in table { buffer.appendCSV(row: row) }
            let read = rows(buffer.array)
            #expect(read.allSatisfy { $0.fault == nil }, "seed \(seed)")
            let cells = read.dropFirst().map(\.cells)
            #expect(
                cells.map { $0.map(\.bytes) } == table.map { $0.map { Array($0.utf8) } },
                "seed \(seed)"
            )
            #expect(cells.joined().allSatisfy { !$0.bytes.isEmpty || $0.isQuoted })
        }
    }
}
