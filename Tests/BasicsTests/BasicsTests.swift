import HoldfastBasics
import Testing

@Suite struct ChecksumTests {
    @Test("CRC-32C gives the published check value, by instructions and by tables")
    func checkValue() {
        let digits = Array("123456789".utf8)
        #expect(digits.withView { CRC32C.extend(0, $0) } == 0xE306_9283)
        #expect(digits.withView { CRC32C.extendPortably(0, $0) } == 0xE306_9283)
    }

    @Test("CRC-32C is the same both ways at every length, and in pieces")
    func bothWays() {
        let random = SeededRandom(seed: 1)
        let bytes = (0..<2000).map { _ in UInt8(truncatingIfNeeded: random.next()) }
        bytes.withView { all in
            for length in 0...2000 {
                let whole = CRC32C.extend(0, all[0..<length])
                #expect(whole == CRC32C.extendPortably(0, all[0..<length]))
                let half = CRC32C.extend(0, all[0..<length / 2])
                #expect(CRC32C.extend(half, all[length / 2..<length]) == whole)
            }
        }
    }
}
