// A record of 12 fields to JSON and back.
internal import Foundation
internal import HoldfastJSONCoding

/// `codec_us`: encoding and decoding one record, together.
enum CodecMeasure {
    private struct Address: Codable, Equatable {
        var street: String
        var city: String
        var country: String
        var latitude: Double
    }

    private enum Status: String, Codable {
        case open, done
    }

    private struct Order: Codable, Equatable {
        var id: UUID
        var title: String
        var owner: String
        var status: Status
        var priority: Int
        var amount: Double
        var created: Date
        var updated: Date?
        var tags: [String]
        var counts: [Int]
        var address: Address
        var isActive: Bool
    }

    private static let sample = Order(
        id: UUID(),
        title: "Reminder of invoice 4711 — überfällig",
        owner: "user17@example.com",
        status: .open,
        priority: 7,
        amount: 1234.57,
        created: Date(timeIntervalSince1970: 1_700_000_000),
        updated: Date(timeIntervalSince1970: 1_710_000_000.5),
        tags: ["billing", "q3", "customer"],
        counts: [3, 44, 555],
        address: Address(
            street: "117 Main Street",
            city: "Springfield",
            country: "DE",
            latitude: 48.1374
        ),
        isActive: true
    )

    static func run(_ context: Context) throws {
        let encoder = RecordEncoder()
        let decoder = RecordDecoder()
        let theirEncoder = JSONEncoder()
        let theirDecoder = JSONDecoder()
        guard try decoder.decode(Order.self, from: encoder.encode(sample)) == sample else {
            throw BenchError("the record did not come back as it was")
        }
        var ours: [Double] = []
        var theirs: [Double] = []
        let count = context.choose(quick: 5000, whole: 20_000)
        for _ in 0..<context.choose(quick: 3, whole: 9) {
            ours.append(
                try microseconds(count) {
                    try decoder.decode(Order.self, from: encoder.encode(sample)).priority
                }
            )
            theirs.append(
                try microseconds(count) {
                    try theirDecoder.decode(Order.self, from: theirEncoder.encode(sample)).priority
                }
            )
        }
        context.report.add(
            Measurement(
                measure: "codec_us",
                unit: "us",
                aim: .less,
                rounds: ours,
                peer: .measured("Foundation", rounds: theirs)
            )
        )
    }

    private static func microseconds(_ count: Int, _ body: () throws -> Int) throws -> Double {
        var sum = 0
        let seconds = try Clock.seconds { for _ in 0..<count { sum += try body() } }
        guard sum == count * sample.priority else { throw BenchError("a value was lost") }
        return seconds * 1e6 / Double(count)
    }
}
