// A refusal is a value, though it is one reference inside.
import HoldfastRecords
import Testing

@Suite struct RefusalTests {
    @Test("What is said of a copy is not said of the refusal it was copied from")
    func copies() {
        let refusal = Refusal(.stale, "Somebody was faster.", field: "stock")
        var copy = refusal
        #expect(copy == refusal)
        #expect(copy.hashValue == refusal.hashValue)
        copy.operation = 3
        copy.detail = "Read it again."
        #expect(refusal.operation == nil)
        #expect(refusal.detail == "Somebody was faster.")
        #expect(copy.operation == 3)
        #expect(copy.field == "stock")
        #expect(copy != refusal)
        copy.operation = nil
        copy.detail = refusal.detail
        #expect(copy == refusal)
    }
}
