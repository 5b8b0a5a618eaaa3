// A generic structure of another module, specialised here or not.
internal import HoldfastBasics
internal import HoldfastEngine

/// `cross_module_ns`: one lookup in the engine's `ByteMap`, by 8 bytes.
///
/// Without specialisation across modules it costs several times as much: this line guards the build
/// settings. The peer is the standard library's dictionary, always specialised; both hash by
/// SipHash.
enum LookupMeasure {
    private static let keyCount = 1024

    static func run(_ context: Context) throws {
        var map = ByteMap<Int>()
        var dictionary: [[UInt8]: Int] = [:]
        let keys = (0..<keyCount).map { Array("key-\(1000 + $0)".utf8) }
        for (index, key) in keys.enumerated() {
            map[key] = index
            dictionary[key] = index
        }
        let count = context.choose(quick: 200, whole: 1000)
        var ours: [Double] = []
        var theirs: [Double] = []
        for _ in 0..<context.choose(quick: 3, whole: 9) {
            ours.append(try nanoseconds(keys, count) { map[$0] })
            theirs.append(try nanoseconds(keys, count) { dictionary[$0] })
        }
        context.report.add(
            Measurement(
                measure: "cross_module_ns",
                unit: "ns",
                aim: .less,
                rounds: ours,
                peer: .measured("Dictionary", rounds: theirs)
            )
        )
    }

    private static func nanoseconds(
        _ keys: [[UInt8]],
        _ count: Int,
        _ find: ([UInt8]) -> Int?
    ) throws -> Double {
        var sum = 0
        let seconds = Clock.seconds {
            for _ in 0..<count {
                for key in keys { sum += find(key) ?? 0 }
            }
        }
        guard sum == count * keyCount * (keyCount - 1) / 2 else { throw BenchError("lost a key") }
        return seconds * 1e9 / Double(count * keys.count)
    }
}
