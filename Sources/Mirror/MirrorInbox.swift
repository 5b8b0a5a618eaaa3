// What the connection told a mirror and nobody has taken yet.
//
// Commits and refusals change what is shown, and all that pends is judged anew for them: with many
// pending changes that is work, so they wait for one another. Answers wait for nothing: they let
// the next changes be sent.
//
// Invariants:
// - events are taken in the order they came, but for answers, which may overtake commits and
//   refusals of their own link;
// - commits stay in their order, and so do refusals.
internal import HoldfastWire

/// Events in order, those that may be taken together gathered.
struct MirrorInbox {
    /// What is taken at once.
    enum Taken {
        case event(ConnectionEvent)
        case messages(link: Int, [MirrorDown], isJudging: Bool)
    }

    /// Messages of one link with nothing else between them.
    private struct Flow {
        let link: Int
        var answers: [MirrorDown] = []
        var contents: [[UInt8]] = []
        var refusals: [MirrorDown] = []

        var isJudging: Bool { !contents.isEmpty || !refusals.isEmpty }
    }

    private enum Item {
        case flow(Flow)
        case event(ConnectionEvent)
    }

    private var items: [Item] = []
    /// Bytes of the commits that wait.
    private(set) var byteCount = 0
    private var refusalCount = 0

    /// Commits and refusals that wait, the ones that are next.
    var nextCount: Int {
        guard case .flow(let flow) = items.first else { return 0 }
        return flow.contents.count + flow.refusals.count
    }

    var isEmpty: Bool { items.isEmpty }

    /// Whether no more should come for now.
    var isFull: Bool {
        byteCount >= Self.byteCountMax || items.count >= Self.itemCountMax
            || refusalCount >= Self.refusalCountMax
    }

    private static let byteCountMax = 16 << 20
    private static let itemCountMax = 64
    private static let refusalCountMax = 1024

    mutating func add(_ event: ConnectionEvent) {
        guard case .message(let link, let message) = event else {
            items.append(.event(event))
            return
        }
        switch message {
        case .accepted: changeFlow(link) { $0.answers.append(message) }
        case .refused:
            refusalCount += 1
            changeFlow(link) { $0.refusals.append(message) }
        case .commits(let contents):
            byteCount += contents.reduce(0) { $0 + $1.count }
            changeFlow(link) { $0.contents += contents }
        default: items.append(.event(event))
        }
    }

    private mutating func changeFlow(_ link: Int, _ body: (inout Flow) -> Void) {
        var flow = Flow(link: link)
        if case .flow(let last) = items.last, last.link == link {
            flow = last
            items.removeLast()
        }
        body(&flow)
        items.append(.flow(flow))
    }

    /// Whether something can be taken, where `mayJudge` says that what pends may be judged anew.
    func hasNext(mayJudge: Bool) -> Bool {
        switch items.first {
        case nil: false
        case .event: true
        case .flow(let flow): mayJudge || !flow.isJudging || !flow.answers.isEmpty
        }
    }

    /// Takes what comes next.
    ///
    /// - Parameter mayJudge: Whether what pends may be judged anew now.
    /// - Returns: Nil when there is nothing that can be taken.
    mutating func takeNext(mayJudge: Bool) -> Taken? {
        guard hasNext(mayJudge: mayJudge) else { return nil }
        var flow: Flow
        switch items.removeFirst() {
        case .event(let event): return .event(event)
        case .flow(let first): flow = first
        }
        guard mayJudge || !flow.isJudging else {
            let answers = flow.answers
            flow.answers = []
            items.insert(.flow(flow), at: 0)
            return .messages(link: flow.link, answers, isJudging: false)
        }
        byteCount -= flow.contents.reduce(0) { $0 + $1.count }
        refusalCount -= flow.refusals.count
        var messages = flow.answers
        if !flow.contents.isEmpty { messages.append(.commits(flow.contents)) }
        messages += flow.refusals
        return .messages(link: flow.link, messages, isJudging: flow.isJudging)
    }
}

/// When all that pends is judged anew for what has come.
///
/// Each time costs as much as there are pending changes. Either enough has come that N changes
/// cost a multiple of N in all, or three times as long has passed as the last time took.
struct JudgingPace {
    /// Unit: nanoseconds on the monotonic clock.
    private var next: UInt64 = 0

    /// Whether it is time.
    ///
    /// - Parameters:
    ///   - now: The monotonic clock.
    ///   - waiting: Commits and refusals that have come.
    ///   - pending: Changes that are judged.
    /// - Returns: Whether all that pends may be judged anew.
    func isDue(_ now: UInt64, waiting: Int, pending: Int) -> Bool {
        now >= next || waiting * 2 >= pending
    }

    /// How long until it is time for whatever has come, in nanoseconds.
    func pause(_ now: UInt64) -> UInt64 { next > now ? next - now : 0 }

    /// Notes how long it took.
    mutating func judged(from started: UInt64, to ended: UInt64) {
        next = ended + 3 * (ended - started)
    }
}
