// A mutex that threads wait on: who gets it when one of them wants it all the time.
import HoldfastBasics
import Testing

@Suite struct ConditionTests {
    private struct State {
        var isWanted = false
        var waitingCount = 0
        var rounds = 0
        /// Threads that were told, and got in.
        var inCount = 0
    }

    @Test("Who takes a mutex again and again lets all those in who were told to come")
    func told() {
        for _ in 0..<50 {
            let (condition, otherCount) = (Condition(State()), 4)
            let others = (0..<otherCount).map { _ in
                Worker {
                    condition.signal(
                        when: { state in
                            if !state.isWanted { state.waitingCount += 1 }
                            return state.isWanted
                        },
                        { $0.inCount += 1 }
                    )
                }
            }
            while condition.withLock({ $0.waitingCount < otherCount }) {}
            condition.signal { $0.isWanted = true }
            condition.letOthersIn(nanosecondsMax: 600_000_000_000)
            #expect(condition.withLock(\.inCount) == otherCount)
            others.forEach { $0.join() }
        }
    }

    @Test("Who finds the mutex taken is let in")
    func contended() throws {
        let condition = Condition(State())
        let other = Worker {
            condition.wait(until: { $0.isWanted }) { _ in }
            while condition.withLock({ $0.rounds < 100 }) {
                condition.withLock { $0.rounds += 1 }
            }
        }
        condition.signal { $0.isWanted = true }
        while condition.withLock({ $0.rounds < 100 }) {
            condition.letOthersIn(nanosecondsMax: 20_000)
        }
        other.join()
    }

    @Test("When nobody wants the mutex, nothing is waited for")
    func nobody() {
        let condition = Condition(State())
        // Else it would be over in three years.
        for _ in 0..<1000 { condition.letOthersIn(nanosecondsMax: 100_000_000_000_000) }
    }
}
