// What a mirror takes together, and when.
import HoldfastBasics
import HoldfastRecords
import HoldfastTestSupport
import HoldfastWire
import Testing

@testable import Holdfast

@Suite struct MirrorInboxTests {
    private func commits(_ numbers: ClosedRange<Int>) -> MirrorDown {
        .commits(numbers.map { [UInt8(truncatingIfNeeded: $0), UInt8($0 >> 8)] })
    }

    private func accepted(_ number: Int) -> MirrorDown {
        .accepted(
            MirrorAccepted(
                MirrorChange.Name(id: id(number), deviceSeq: UInt64(number)),
                at: Position(epoch: Epoch(rawValue: 1), seq: UInt64(number)),
                []
            )
        )
    }

    private func refused(_ number: Int) -> MirrorDown {
        .refused(
            MirrorRefused(
                MirrorChange.Name(id: id(number), deviceSeq: UInt64(number)),
                ProblemDocument(Refusal(.stale, "as an example"))
            )
        )
    }

    private func id(_ number: Int) -> UniqueID { UniqueID(high: 1, low: UInt64(number)) }

    /// One word for each part of a message.
    private func words(_ message: MirrorDown) -> [String] {
        switch message {
        case .commits(let contents): contents.map { "c\(Int($0[0]) | Int($0[1]) << 8)" }
        case .accepted(let accepted): ["a\(accepted.change.id.low)"]
        case .refused(let refused): ["r\(refused.change.id.low)"]
        case .bye(let bye): ["bye\(bye.code)"]
        default: ["?"]
        }
    }

    private func words(_ taken: MirrorInbox.Taken?) -> [String] {
        switch taken {
        case .messages(_, let messages, _): messages.flatMap(words)
        case .event(.message(_, let message)): words(message)
        case .event(.ended): ["end"]
        case .event(.opened), .event(.fetching), .event(.renewed), .event(.sent), nil: []
        }
    }

    @Test("Commits and refusals wait for one another, answers do not")
    func order() {
        var inbox = MirrorInbox()
        for message in [commits(1...2), accepted(1), refused(2), commits(3...3), accepted(3)] {
            inbox.add(.message(link: 1, message))
        }
        #expect(inbox.nextCount == 4)
        #expect(words(inbox.takeNext(mayJudge: false)) == ["a1", "a3"])
        #expect(inbox.takeNext(mayJudge: false) == nil)
        inbox.add(.message(link: 1, accepted(4)))
        #expect(words(inbox.takeNext(mayJudge: true)) == ["a4", "c1", "c2", "c3", "r2"])
        #expect(inbox.isEmpty && inbox.byteCount == 0)
    }

    @Test("Nothing overtakes the end of a link, or belongs to another one")
    func links() {
        var inbox = MirrorInbox()
        inbox.add(.message(link: 1, commits(1...1)))
        inbox.add(.ended(link: 1, .lost))
        inbox.add(.message(link: 2, accepted(1)))
        #expect(inbox.takeNext(mayJudge: false) == nil)
        #expect(words(inbox.takeNext(mayJudge: true)) == ["c1"])
        #expect(words(inbox.takeNext(mayJudge: false)) == ["end"])
        inbox.add(.message(link: 3, accepted(2)))
        #expect(words(inbox.takeNext(mayJudge: false)) == ["a1"])
        #expect(words(inbox.takeNext(mayJudge: false)) == ["a2"])
        #expect(inbox.isEmpty)
    }

    @Test("Whatever comes when, every part is taken once, each kind in its order")
    func everything() {
        Seed.each(Seed.count(usually: 30)) { _, random in
            var inbox = MirrorInbox()
            var added: [String] = []
            var taken: [String] = []
            var next = 1
            for _ in 0..<200 {
                let message: MirrorDown
                switch random.below(6) {
                case 0, 1:
                    message = commits(next...next + random.below(3))
                case 2: message = accepted(next)
                case 3: message = refused(next)
                case 4 where random.oneIn(6):
                    message = .bye(MirrorBye(code: UInt16(next), detail: ""))
                default:
                    taken += words(inbox.takeNext(mayJudge: random.oneIn(2)))
                    continue
                }
                added += words(message)
                next += 4
                inbox.add(.message(link: 1, message))
            }
            while !inbox.isEmpty { taken += words(inbox.takeNext(mayJudge: true)) }
            #expect(taken.sorted() == added.sorted())
            for kind in ["c", "a", "r", "bye"] {
                #expect(
                    taken.filter { $0.hasPrefix(kind) } == added.filter { $0.hasPrefix(kind) }
                )
            }
            #expect(inbox.byteCount == 0 && !inbox.isFull)
        }
    }

    @Test("The link is held while much waits")
    func full() {
        var inbox = MirrorInbox()
        for _ in 0..<16 {
            #expect(!inbox.isFull)
            inbox.add(.message(link: 1, .commits([[UInt8](repeating: 0, count: 1 << 20)])))
        }
        #expect(inbox.isFull)
        _ = inbox.takeNext(mayJudge: true)
        #expect(!inbox.isFull)
    }

    @Test("However commits come, N pending changes are judged a multiple of N times in all")
    func pace() {
        // Time passes by judging, and by what happens between two commits.
        for gap: UInt64 in [0, 1, 10, 100, 10_000] {
            let count = 20_000
            var pace = JudgingPace()
            var (pending, waiting, now) = (count, 0, UInt64(0))
            var judged = 0
            while pending > 0 {
                if waiting < pending { waiting += 1 }
                now += gap
                guard pace.isDue(now, waiting: waiting, pending: pending) else { continue }
                pending -= waiting
                waiting = 0
                judged += pending
                pace.judged(from: now, to: now + UInt64(pending))
                now += UInt64(pending)
            }
            // Where commits come slowly, for a quarter of the time at most.
            let limit = 2 * count + Int(now) / 4
            #expect(judged <= limit, "a commit every \(gap): \(judged)")
        }
    }
}
