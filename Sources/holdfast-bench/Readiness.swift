// Which of many connections have something to be read: by libevent, as poll(2) would look at all of
// them each time and be a fourth of what the load costs.
//
// Unsafe, with this argument: libevent is given pointers to objects that this one owns, and its
// events end before they do.
internal import CHoldfastLibevent
internal import Glibc

/// Watches sockets.
final class Readiness {
    private let base: OpaquePointer
    private var events: [OpaquePointer] = []
    private var marks: [Mark] = []
    private let found = Found()

    /// What the events of one turn have noted.
    private final class Found {
        var indexes: [Int] = []
    }

    /// What one socket's event notes.
    private final class Mark {
        let index: Int
        let found: Found

        init(_ index: Int, _ found: Found) { (self.index, self.found) = (index, found) }
    }

    /// Watches some sockets, known by their index.
    ///
    /// - Parameters:
    ///   - sockets: Whose input is waited for.
    ///   - milliseconds: How often whoever waits gets a turn though nothing has come.
    /// - Throws: What libevent cannot do.
    init(_ sockets: [Socket], tickMilliseconds milliseconds: Int) throws {
        guard let configuration = event_config_new() else { throw BenchError("event_config_new") }
        defer { event_config_free(configuration) }
        event_config_set_flag(configuration, Int32(EVENT_BASE_FLAG_PRECISE_TIMER.rawValue))
        guard let base = event_base_new_with_config(configuration),
            let tick = event_new(base, -1, Int16(EV_PERSIST), { _, _, _ in }, nil)
        else { throw BenchError("event_base_new") }
        self.base = base
        events.append(tick)
        var time = timeval(tv_sec: milliseconds / 1000, tv_usec: milliseconds % 1000 * 1000)
        guard event_add(tick, &time) == 0 else { throw BenchError("event_add") }
        for (index, socket) in sockets.enumerated() {
            let mark = Mark(index, found)
            let pointer = Unmanaged.passUnretained(mark).toOpaque()
            let kinds = Int16(EV_READ | EV_PERSIST)
            guard
                let event = event_new(base, socket.descriptor, kinds, Self.note, pointer)
            else { throw BenchError("event_new") }
            events.append(event)
            marks.append(mark)
            guard event_add(event, nil) == 0 else { throw BenchError("event_add") }
        }
    }

    deinit {
        for event in events { event_free(event) }
        event_base_free(base)
    }

    /// Waits until one is ready, or for the next tick, and gives the indexes of those that are.
    func wait() -> [Int] {
        found.indexes.removeAll(keepingCapacity: true)
        event_base_loop(base, EVLOOP_ONCE)
        return found.indexes
    }

    private static let note: event_callback_fn = { _, _, pointer in
        guard let pointer else { return }
        let mark = Unmanaged<Mark>.fromOpaque(pointer).takeUnretainedValue()
        mark.found.indexes.append(mark.index)
    }
}
