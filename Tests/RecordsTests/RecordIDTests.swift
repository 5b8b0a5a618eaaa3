// What may be the name of a record.
import HoldfastBasics
import HoldfastRecords
import Testing

@Suite struct RecordIDTests {
    private func isName(_ text: String) -> Bool { Array(text.utf8).withView(RecordID.isName) }

    @Test("A name has no control character, wherever it stands and however long the name is")
    func controls() {
        let plain = Array("shelf B2, drawer 14, box 3".unicodeScalars)
        for value in Array(UInt8(0)...0x1F) + Array(0x7F...0x9F) {
            let scalar = Unicode.Scalar(value)
            for index in plain.indices {
                var text = plain
                text[index] = scalar
                #expect(!isName(String(String.UnicodeScalarView(text))), "\(value) at \(index)")
            }
        }
    }

    @Test("Letters of all scripts may stand anywhere, what is not UTF-8 nowhere")
    func letters() {
        let plain = Array("shelf B2, drawer 14, box 3".utf8)
        for index in plain.indices {
            for letter in ["\u{A0}", "ß", "電", "🔩"] {
                let bytes = plain[..<index] + Array(letter.utf8) + plain[index...]
                #expect(Array(bytes).withView(RecordID.isName))
            }
            for bytes in [[0x80], [0xFF], [0xC3], [0xED, 0xA0, 0x80]] as [[UInt8]] {
                let broken = plain[..<index] + bytes + plain[index...]
                #expect(!Array(broken).withView(RecordID.isName), "\(bytes) at \(index)")
            }
        }
    }

    @Test("A name has 1 to 512 bytes, and is not a step of a path")
    func limits() {
        #expect(!isName(""))
        #expect(!isName("."))
        #expect(!isName(".."))
        #expect(isName("..."))
        #expect(isName(String(repeating: "x", count: 512)))
        #expect(!isName(String(repeating: "x", count: 513)))
    }
}
