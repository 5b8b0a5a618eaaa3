// A mutex that threads wait on: who gets it when one of them wants it all the time.
import HoldfastBasics
import Testing

@Suite struct ConditionTests {
    private struct State {
        var isWanted = false
        var isWaiting = false
        var rounds = 0
        /// Rounds that were over when the other thread got in.
        var roundsBefore: Int?
    }

    @Test("Who takes a mutex again and again lets those in who were told to come")
    func told() throws {
        let (condition, roundCount) = (Condition(State()), 20)
        let other = Worker {
            condition.signal(
                when: { state in
                    state.isWaiting = true
                    return state.isWanted
                },
                { $0.roundsBefore = $0.rounds }
            )
        }
        while !condition.withLock(\.isWaiting) {}
        condition.signal { $0.isWanted = true }
        while condition.withLock({ $0.roundsBefore == nil && $0.rounds < roundCount }) {
            condition.withLock { $0.rounds += 1 }
            condition.letOthersIn(nanosecondsMax: 1_000_000_000)
        }
        other.join()
        let rounds = try #require(condition.withLock(\.roundsBefore))
        #expect(rounds < roundCount)
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
