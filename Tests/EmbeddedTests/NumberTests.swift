import HoldfastEmbedded
import Testing

@Suite struct NumberTests {
    @Test("a number reads what it writes, and nothing else")
    func text() {
        #expect(Number("12")?.description == "12")
        for text in ["", "+1", "-1", "1.0", "one", "18446744073709551616"] {
            #expect(Number(text) == nil)
        }
        #expect(Number(2) < Number(10))
    }
}
