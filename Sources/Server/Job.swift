// Many commits asked for by one request: answered line by line as NDJSON, each line when what it
// tells is durable, and at the end how many there were.
internal import HoldfastBasics
internal import HoldfastEngine
internal import HoldfastHTTP
internal import HoldfastRecords
internal import HoldfastStore
internal import HoldfastWire

/// A job under way.
///
/// A job whose lines do not come from the client makes them by `step`.
class Job: BodyProducer {
    final let connection: Connection
    final let caller: Caller
    final let access: Access?
    final let why: String
    /// Its id, which its commits bear.
    final let id: UniqueID
    /// Number of the last line.
    final var line = 0
    /// Whether no more lines come.
    final var isComplete = false
    /// Records done with; nil where lines alone are counted.
    final var recordCount: Int?
    /// Lines of the reply whose commits are not durable yet, oldest first.
    private var waiting: [(seq: UInt64, bytes: [UInt8])] = []
    private var ready = ByteBuffer()
    private var accepted = 0
    private var refused = 0
    /// Whether it goes on by itself, after the loop's other work.
    private var isPausing = false

    /// Lines that may wait for durability before no more are made.
    private static let waitingCountMax = 4096
    /// Reply kept for a client that sends without reading, as most do.
    private static let readyByteCountMax = 64 << 20

    init(_ call: Call, _ connection: Connection) {
        self.connection = connection
        caller = call.caller
        access = connection.server.access
        why = call.why
        id = call.idempotencyKey ?? connection.server.newID()
        let server = connection.server
        server.caller = caller
        server.reply.reset()
        server.reply.type("application/x-ndjson")
        server.addJob(self)
    }

    final var server: LoopServer { connection.server }

    /// Makes the next lines, a slice of the work; nothing when they come from the client.
    func step() {}

    /// Whether `step` makes the lines.
    var isSteady: Bool { true }

    final var isFull: Bool {
        waiting.count > Self.waitingCountMax || ready.count > Self.readyByteCountMax
    }

    // MARK: Lines

    /// Adds a line that tells of what was done.
    ///
    /// - Parameters:
    ///   - seq: What must be durable before.
    ///   - append: Writes the line.
    final func accept(_ seq: UInt64, _ append: (inout ByteBuffer) -> Void) {
        accepted += 1
        var out = ByteBuffer()
        append(&out)
        waiting.append((seq, out.array))
    }

    /// Adds a line that tells of a refusal.
    ///
    /// - Parameters:
    ///   - refusal: Why.
    ///   - seq: What must be durable before: what refuses may itself not be so yet.
    ///   - subject: What the line is about, where it is not one of the client's.
    final func refuse(_ refusal: Refusal, seq: UInt64, _ subject: JobLine.Subject = .line) {
        refused += 1
        var envelope = ByteBuffer()
        if let reference = refusal.current {
            let server = self.server
            server.store.read { server.appendEnvelope(reference, $0, to: &envelope) }
        }
        let current = refusal.current == nil ? nil : envelope.view
        let problem = Problem(refusal)
        var out = ByteBuffer()
        JobLine.append(line, subject, problem, current: current, to: &out)
        waiting.append((seq, out.array))
        // A full disk, or a store that takes no writes, refuses whatever would follow.
        if isSteady, problem.status >= 500 { isComplete = true }
    }

    /// The store is further: lines whose commits are durable may leave.
    final func advance(_ progress: Progress) {
        var count = 0
        waits: while count < waiting.count {
            switch progress.outcome(of: waiting[count].seq) {
            case .pending: break waits
            case .durable:
                ready.append(waiting[count].bytes)
                count += 1
            case .unknown:
                unknown(from: count)
                count = waiting.count
            }
        }
        waiting.removeFirst(count)
        if !isPausing { connection.produceMore() }
        advanced()
    }

    /// Lines have left, or may.
    func advanced() {}

    private func unknown(from index: Int) {
        accepted = max(0, accepted - (waiting.count - index))
        refused += waiting.count - index
        // Whatever follows would be refused alike.
        isComplete = isComplete || isSteady
        let refusal = Refusal(
            .outcomeUnknown,
            "The write to the disk failed: the outcome of this line and of those since the last "
                + "one answered is unknown. Send the job again, with the same Idempotency-Key, "
                + "when the server is back."
        )
        JobLine.append(line, .line, Problem(refusal), current: nil, to: &ready)
    }

    // MARK: Output

    final func produce(into out: inout ByteBuffer) -> ProducerStep {
        isPausing = false
        if ready.isEmpty, !isComplete, !isFull, isSteady {
            step()
            let durable = server.store.progress
            while let first = waiting.first, durable.outcome(of: first.seq) == .durable {
                ready.append(first.bytes)
                waiting.removeFirst()
            }
        }
        guard ready.isEmpty else {
            let count = min(ready.count, Limits.outputByteCountHigh / 4)
            out.append(ready.view[0..<count])
            ready.consume(count)
            advanced()
            return .more
        }
        guard isComplete, waiting.isEmpty else {
            guard isSteady, !isComplete, !isFull else { return .waits }
            isPausing = true
            return .pauses
        }
        JobLine.appendDone(
            job: id,
            accepted: accepted,
            refused: refused,
            recordCount: recordCount,
            to: &out
        )
        return .complete
    }

    func end() { server.removeJob(self) }
}
