// One line of the result.
internal import Foundation

/// What was measured over some rounds, and what the peer did in the same rounds.
struct Measurement {
    /// Whether more or less of the unit is good.
    enum Aim {
        case more, less
    }

    /// The name, which never changes.
    let measure: String
    let unit: String
    let aim: Aim
    /// Ours, one a round.
    let rounds: [Double]
    /// The peer's name, or why there is none.
    let peer: Peer

    /// Whom we are compared with.
    enum Peer {
        case none(because: String)
        case measured(String, rounds: [Double])
    }

    var value: Double { Self.median(rounds) }

    var peerValue: Double? {
        guard case .measured(_, let rounds) = peer, !rounds.isEmpty else { return nil }
        return Self.median(rounds)
    }

    var peerName: String? {
        guard case .measured(let name, _) = peer else { return nil }
        return name
    }

    /// Above 1 when we are ahead.
    var ratio: Double? {
        guard let peerValue, value > 0, peerValue > 0 else { return nil }
        return aim == .more ? value / peerValue : peerValue / value
    }

    static func median(_ values: [Double]) -> Double {
        let sorted = values.sorted()
        guard let last = sorted.last else { return 0 }
        let middle = sorted.count / 2
        guard sorted.count > 1 else { return last }
        return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
    }

    /// The line of JSON.
    func json(machine: String) throws -> String {
        struct Line: Encodable {
            let measure: String
            let value: Double
            let unit: String
            let peer: String?
            let peerValue: Double?
            let ratio: Double?
            let rounds: Int
            let min: Double
            let max: Double
            let machine: String
        }
        let line = Line(
            measure: measure,
            value: Self.rounded(value),
            unit: unit,
            peer: peerName,
            peerValue: peerValue.map(Self.rounded),
            ratio: ratio.map(Self.rounded),
            rounds: rounds.count,
            min: Self.rounded(rounds.min() ?? 0),
            max: Self.rounded(rounds.max() ?? 0),
            machine: machine
        )
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(line), as: UTF8.self)
    }

    /// Four digits that count.
    static func rounded(_ value: Double) -> Double {
        guard value != 0, value.isFinite else { return 0 }
        let scale = pow(10, 3 - floor(log10(abs(value))))
        return (value * scale).rounded() / scale
    }

    /// A number for people: `134 k`, `1.52 M`, `0.083`.
    static func text(_ value: Double) -> String {
        switch abs(value) {
        case 1_000_000...: String(format: "%.2f M", value / 1_000_000)
        case 10_000...: String(format: "%.1f k", value / 1000)
        case 100...: String(format: "%.0f", value)
        case 10...: String(format: "%.1f", value)
        default: String(format: "%.3g", value)
        }
    }
}
