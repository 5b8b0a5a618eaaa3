// Pinned positions: readers that want everything as it stood at one point.
internal import HoldfastBasics
internal import HoldfastEngine
public import HoldfastRecords

/// A position that can be read from until it is let go of.
public struct Pin: Hashable, Sendable {
    let id: UInt64
    /// What it shows.
    public let position: Position
}

/// The pins of a store: counted, limited, and ended when nobody moves them.
struct PinTable {
    /// Most pins at one time; those above a limit that was lowered stay.
    var countMax = Limits.pinCountMax
    /// A pin whose reader makes no progress for so long ends.
    ///
    /// Unit: nanoseconds.
    var idleNanoseconds = UInt64(Limits.pinSeconds * 1e9)

    private var pins: [UInt64: (seq: UInt64, touched: UInt64)] = [:]
    private var next: UInt64 = 0

    var count: Int { pins.count }

    /// The oldest position anybody reads from.
    var oldest: UInt64? { pins.values.map(\.seq).min() }

    mutating func add(seq: UInt64, position state: EngineState, now: UInt64) -> Pin? {
        guard pins.count < countMax else { return nil }
        next += 1
        pins[next] = (seq, now)
        return Pin(id: next, position: state.position(of: seq))
    }

    mutating func touch(_ pin: Pin, now: UInt64) -> Bool {
        guard pins[pin.id] != nil else { return false }
        pins[pin.id]?.touched = now
        return true
    }

    mutating func remove(_ pin: Pin) { pins[pin.id] = nil }

    /// Lets go of all, where what they read from is not there any more; no id comes again.
    mutating func removeAll() { pins.removeAll() }

    mutating func expire(now: UInt64) {
        pins = pins.filter { now < $0.value.touched + idleNanoseconds }
    }
}
