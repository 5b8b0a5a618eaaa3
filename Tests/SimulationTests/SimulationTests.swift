// The deterministic simulation: a server and three mirrors on simulated disks, a clock and a network
// that fails, everything of one seed.
//
// What is held, and the sentence of the model it comes of:
// - commits are dense from 1, each verifies after the chain of the one before ("seq is dense from 1,
//   one per commit"; "two histories can be told apart");
// - what was answered is in the log, where the answer said ("an acknowledged change is never lost");
// - a change that was kept is accepted once, or stranded once, or pends, through every crash ("writes
//   return when durable on the local disk"; "nothing is thrown away silently");
// - changes of a device are accepted in the order of their numbers ("dense deviceSeq in order,
//   idempotent"), and settled numbers never go back, there and here ("remembers for ever");
// - a bundle is a refused change with all that builds on it ("a refusal strands its whole dependency
//   chain as one bundle; independent changes go on");
// - no id is given out or committed twice, each lies in a range of its device, ranges never overlap
//   ("never overlapping, never reissued; the cursor is durable before an id is handed out");
// - at most one holds a record at any commit, and whoever writes while another holds is refused ("a
//   late or paused holder can never overwrite"); whoever gave back everything has nothing;
// - released values never change ("immutable and undeletable for everyone, for ever");
// - a mirror's confirmed records are the server's at the same position, in tree hashes at every
//   batch of commits and in every structure at the end ("compared at exactly one seq: mirror ==
//   server");
// - what is shown is the confirmed state with what pends judged in order, indexes included: the same
//   as a fresh fold ("incremental result == rebuilt result, always");
// - a mirror that was away while the log was cut goes on from the snapshot, and nothing of what it
//   kept is lost ("first sync and re-sync: manifest, the parts it lacks, then the tail");
// - a preview refuses nothing the authority would accept at that position; of trees a mirror does
//   not hold, no byte reaches it.
//
// `HOLDFAST_SIM_SEEDS=20000` runs more seeds, `HOLDFAST_SIM_SEED=17` one; a seed that fails prints its
// last steps, with as few as it still fails with. `HOLDFAST_SIM_STEPS=300` makes runs longer.
import Foundation
import HoldfastBasics
import HoldfastTestSupport
import Testing

@testable import Holdfast

@Suite struct SimulationTests {
    /// Steps of a run; every 100th seed has ten times as many.
    private static let stepCount = Int(number("HOLDFAST_SIM_STEPS") ?? 12)
    private static let workerCount: UInt64 = 2
    private static let chosenSeed = number("HOLDFAST_SIM_SEED")
    private static let seedCount = number("HOLDFAST_SIM_SEEDS") ?? 1000

    private static func number(_ name: String) -> UInt64? {
        ProcessInfo.processInfo.environment[name].flatMap { UInt64($0) }
    }

    private static func steps(_ seed: UInt64) -> [Int] {
        Array(0..<(seed % 100 == 0 ? 10 * stepCount : stepCount))
    }

    /// Why a run fails; nil when it does not.
    private static func failure(_ seed: UInt64, _ steps: [Int]) -> (any Error)? {
        do {
            try Simulation(seed: seed).run(steps)
            return nil
        } catch {
            return error
        }
    }

    /// The fewest steps with which a seed fails: the end is left out first, then one after another.
    private static func shrink(_ seed: UInt64, _ steps: [Int]) -> [Int] {
        var shortest = steps
        for count in stride(from: 0, to: steps.count, by: max(1, steps.count / 60)) {
            let first = Array(steps.prefix(count))
            if failure(seed, first) != nil {
                shortest = first
                break
            }
        }
        guard shortest.count <= 100 else { return shortest }
        for step in shortest.reversed() {
            let fewer = shortest.filter { $0 != step }
            if failure(seed, fewer) != nil { shortest = fewer }
        }
        return shortest
    }

    /// Says what is needed to see a failure again.
    private static func report(_ seed: UInt64, _ error: any Error) -> Disagreement {
        let steps = shrink(seed, steps(seed))
        var (text, why) = ("", "\(error)")
        do {
            let simulation = try Simulation(seed: seed, isTraced: true)
            do {
                try simulation.run(steps)
            } catch {
                (text, why) = (simulation.trace.text, "\(error)")
            }
        } catch {
            text = "\(error)"
        }
        return Disagreement(
            "HOLDFAST_SIM_SEED=\(seed) fails: \(error)\nwith the steps \(steps) alone: \(why)\n\(text)"
        )
    }

    @Test("Nothing is lost, doubled or overwritten, whatever is cut or killed", arguments: 0..<2)
    func seeds(_ worker: Int) throws {
        let tally = Tally()
        let seeds =
            Self.chosenSeed.map { worker == 0 ? [$0] : [] }
            ?? Array(
                stride(from: 1 + UInt64(worker), through: Self.seedCount, by: Int(Self.workerCount))
            )
        for seed in seeds {
            do {
                let simulation = try Simulation(seed: seed, tally: tally)
                try simulation.run(Self.steps(seed))
                // The same in every process.
                if seeds.count == 1 { print("seed \(seed) ends at \(simulation.server.end)") }
            } catch {
                throw Self.report(seed, error)
            }
        }
        print("simulation, \(seeds.count) seeds:", tally.summary)
        // Paths that are rare must have been taken all the same, by one worker or the other.
        let (counts, seedCount) = Self.taken.withLock { taken in
            taken.seedCount += seeds.count
            taken.counts.merge(tally.counts, uniquingKeysWith: +)
            return taken
        }
        guard seedCount >= 1000 else { return }
        for path in Self.paths { #expect(counts[path, default: 0] > 0, "never: \(path)") }
    }

    /// What all workers that are done have counted.
    private static let taken = Lock<(counts: [String: Int], seedCount: Int)>(([:], 0))

    private static let paths = [
        "bundles of several", "bundles dropped", "bundles offered again", "contested after commits",
        "stalled connections ended", "silent links ended", "mirror: in the middle of a write",
        "server: failedSync", "effects: grant", "effects: lapse", "effects: confirm",
        "effects: cancel", "effects: setState", "direct changes sent again", "compactions",
        "server: in the middle of a compaction", "copies replaced under pending changes",
        "snapshots cut off",
    ]

    @Test("The same seed makes the same history, byte by byte", arguments: [3, 100])
    func isDeterministic(_ seed: UInt64) throws {
        func history() throws -> (end: String, commits: [[UInt8]]) {
            let simulation = try Simulation(seed: seed)
            try simulation.run(Self.steps(seed))
            #expect(simulation.server.auditor.head > 20)
            return (simulation.server.end, try simulation.server.contents())
        }
        let (first, second) = (try history(), try history())
        #expect(first == second)
    }
}

extension Tally {
    /// Everything, in the order of the names.
    var summary: String {
        counts.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: ", ")
    }
}
