// Calls on threads of their own, and what comes back from them.
import HoldfastBasics
import Testing

@Suite struct WorkerTests {
    private final class Made: Sendable {
        let number: Int
        let text: String

        init(_ number: Int) {
            self.number = number
            text = "made \(number)"
        }
    }

    /// Many times, as whether the thread is done before somebody waits is for the machine to say: under
    /// ThreadSanitizer either order has to be seen as one.
    @Test("Who waits for a call on a thread has what the thread made")
    func made() async {
        for number in 0..<500 {
            let made = await Worker.run { Made(number) }
            #expect(made.number == number)
            #expect(made.text == "made \(number)")
        }
    }

    @Test("A call that returns nothing is waited for")
    func nothing() async {
        let isDone = Lock(false)
        await Worker.run { isDone.withLock { $0 = true } }
        #expect(isDone.withLock { $0 })
    }
}
