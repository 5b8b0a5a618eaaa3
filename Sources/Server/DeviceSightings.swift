// What a server has seen of devices since it runs; nothing of it is logged.
internal import HoldfastBasics
internal import Synchronization

/// What was seen of one device.
final class DeviceSighting: Sendable {
    /// Mirrors of it that are connected; a device that was copied may have two.
    let connections = Gauge()
    private let seq = Atomic<UInt64>(0)
    private let milliseconds = Atomic<Int64>(0)

    /// The last commit it was sent.
    var sentSeq: UInt64 { seq.load(ordering: .relaxed) }
    /// When it was seen last, in milliseconds since 1970.
    var lastSeen: Int64 { milliseconds.load(ordering: .relaxed) }

    /// It was sent everything up to a commit.
    func note(sent: UInt64) { seq.store(sent, ordering: .relaxed) }

    /// It is there now.
    func note(at now: Int64) { milliseconds.store(now, ordering: .relaxed) }
}

/// What was seen of all devices, by id.
final class DeviceSightings: Sendable {
    private let sightings = Lock<[String: DeviceSighting]>([:])

    /// What was seen of a device; nil when it was not connected yet.
    subscript(id: String) -> DeviceSighting? { sightings.withLock { $0[id] } }

    /// A mirror of a device is connected.
    func enter(_ id: String) -> DeviceSighting {
        sightings.withLock { all in
            let sighting = all[id] ?? DeviceSighting()
            all[id] = sighting
            sighting.connections.add(1)
            return sighting
        }
    }

    /// A device is forgotten, unless it is connected.
    func forget(_ id: String) {
        sightings.withLock { all in
            if all[id]?.connections.value == 0 { all[id] = nil }
        }
    }
}
