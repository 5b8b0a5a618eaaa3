// What is asked of bytes eight at a time, at every place of a word and behind the last one.
import HoldfastBasics
import Testing

@Suite struct ByteViewTests {
    @Test("Printable ASCII ends at the blank and at the tilde, wherever the other byte stands")
    func printable() {
        for count in 1...17 {
            for index in 0..<count {
                for byte in UInt8.min...UInt8.max {
                    // Neighbours from either end, so that a borrow between bytes would show.
                    for neighbour in [UInt8(0x20), 0x7E] {
                        var bytes = [UInt8](repeating: neighbour, count: count)
                        bytes[index] = byte
                        let isPrintable = bytes.withView { $0.isPrintableASCII }
                        if isPrintable != (0x20...0x7E).contains(byte) {
                            Issue.record("byte \(byte) at \(index) of \(count)")
                        }
                    }
                }
            }
        }
        #expect(ByteView.empty.isPrintableASCII)
    }
}
