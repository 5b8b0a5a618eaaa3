// `holdfast import`: sends a file of changes, line by line, to a server.
//
// Lines go in batches; each has an id of its own, so that a batch whose answer got lost is sent
// again without being done twice.
internal import HoldfastBasics
internal import HoldfastJSONCoding
internal import HoldfastRecords
internal import HoldfastWire

/// NDJSON changes from a file or standard input.
enum ImportCommand {
    static let command = Command(
        name: "import",
        summary: "Sends NDJSON changes, or a table, each line accepted or refused by itself.",
        positionals: ["FILE|-"],
        flags: [
            Flag(toggle: "csv", "FILE is a table, as `export --csv` prints them; needs --tree"),
            Flag("tree", .text, "NAME", "the tree the rows of a table are records of"),
            Flag(toggle: "dry-run", "of a table, tells what each row would do, and does nothing"),
            Flag("job", .text, "ID", "the job to go on with, as it was told when it began"),
            Flag(toggle: "stop", "stop at the first line that is refused"),
            Flag("retry", .number, "SECONDS", "how long to wait for a server that went away (60)"),
            Flag("why", .text, "TEXT", "the reason, kept with every change"),
        ] + Client.flags,
        notes: """
            A line is what POST /v1/changes takes: {"operations":[{"put":{...}}]}. Lines that are refused are
            told on standard error, and the exit code is then 1. Sent again with the same --job, what was
            accepted is not done twice; lines of `export` bring ids of their own.
            A row of a table with a _version changes its record, if that version stands; one without makes a
            record; one that says what stands already changes nothing. Columns left out are not touched.

            """ + Client.notes,
        run: run
    )

    @Sendable
    private static func run(_ arguments: Arguments) throws(CommandFailure) {
        if arguments.has("csv") { return try runTable(arguments) }
        for flag in ["tree", "dry-run"] where arguments.has(flag) {
            throw arguments.usage(
                "--\(flag) is for a table, --csv: changes name their trees themselves"
            )
        }
        let input = try InputReader(arguments.positionals[0])
        let client = try Client(arguments)
        var sender = try ImportSender(client, job: try job(arguments), arguments)
        var lines = LineSplitter()
        var piece = ByteBuffer()
        var lineCount = 0
        while try input.read(into: &piece) {
            try lines.feed(piece.view) { (line: ByteView) throws(CommandFailure) in
                lineCount += 1
                try sender.add(line, number: lineCount)
            }
            piece.removeAll()
            try sender.check(byteCount: lines.pendingByteCount, of: lineCount + 1)
        }
        try lines.finish { (line: ByteView) throws(CommandFailure) in
            lineCount += 1
            try sender.add(line, number: lineCount)
        }
        try sender.finish()
    }

    private static func runTable(_ arguments: Arguments) throws(CommandFailure) {
        let tree = try arguments.required("tree")
        let client = try Client(arguments)
        try TableSender(client, tree: tree, job: try job(arguments), arguments).send()
    }

    /// The job to go on with, or a new one, which is told at once: only who knows it can go on.
    private static func job(_ arguments: Arguments) throws(CommandFailure) -> UniqueID {
        guard let setting = arguments.setting("job") else {
            let now = SystemTime().wallMilliseconds()
            let job = UniqueID.version7(milliseconds: now, random: SystemRandom())
            Console.complain("job \(job)")
            return job
        }
        guard let id = UniqueID(setting.text) else {
            throw setting.failure("give the job's id, a UUID")
        }
        return id
    }
}

/// Sends lines in batches and counts what becomes of them.
struct ImportSender: ~Copyable {
    private let client: Client
    private let job: UniqueID
    private let stopsEarly: Bool
    private let fields: [(name: String, value: String)]
    private var patience: JobPatience

    private var batch = ByteBuffer()
    /// Number in the file of each line of the batch.
    private var numbers: [Int] = []
    private var progress = Progress("changes sent")
    private var acceptedCount = 0
    private var knownCount = 0
    private var refusedCount = 0
    private var hasReached = false

    private static let batchLineCountMax = 1000
    private static let batchByteCountMax = 1 << 20

    init(_ client: Client, job: UniqueID, _ arguments: Arguments) throws(CommandFailure) {
        self.client = client
        self.job = job
        stopsEarly = arguments.has("stop")
        fields = Self.fields("application/x-ndjson", job: job, arguments)
        patience = try JobPatience(arguments)
    }

    /// What a job says of itself.
    static func fields(
        _ type: String,
        job: UniqueID,
        _ arguments: Arguments
    ) -> [(name: String, value: String)] {
        var fields = [(name: "content-type", value: type)]
        fields.append((name: "idempotency-key", value: job.description))
        if let why = arguments.text("why") {
            fields.append((name: "holdfast-why", value: Client.encoded(why)))
        }
        return fields
    }

    // MARK: Lines

    mutating func add(_ line: ByteView, number: Int) throws(CommandFailure) {
        var line = line
        if !line.isEmpty, line[line.count - 1] == UInt8(ascii: "\r") {
            line = line[0..<line.count - 1]
        }
        guard !line.isEmpty else { return }
        try check(byteCount: line.count, of: number)
        append(line, id: JobLine.changeID(job: job, line: number))
        numbers.append(number)
        if numbers.count == Self.batchLineCountMax || batch.count >= Self.batchByteCountMax {
            try send()
        }
    }

    /// Refuses a line that is longer than any change, also before its end has come.
    func check(byteCount: Int, of number: Int) throws(CommandFailure) {
        guard byteCount > Limits.commitByteCountMax else { return }
        throw CommandFailure(
            .refused,
            "too-large: line \(number) has more than \(Limits.commitByteCountMax) bytes; job \(job)"
        )
    }

    /// A line without an id gets one; what is no object is left for the server to refuse.
    private mutating func append(_ line: ByteView, id: UniqueID) {
        var isOpen = false
        do throws(JSONError) {
            var scanner = JSONScanner(line)
            // `{}` has no member to put one before.
            if try scanner.peekKind() == .object, !line.equals("{}") {
                isOpen = try JSONScanner.member(named: ByteView("id"), in: line) == nil
            }
        } catch {
            isOpen = false
        }
        if isOpen, let brace = line.firstIndex(of: UInt8(ascii: "{")) {
            batch.append(line[0..<brace + 1])
            batch.append(text: "\"id\":\"\(id)\",")
            batch.append(line.suffix(from: brace + 1))
        } else {
            batch.append(line)
        }
        batch.append("\n")
    }

    mutating func finish() throws(CommandFailure) {
        try send()
        try Console.print(
            "\(acceptedCount) changes accepted, \(knownCount) of them before; "
                + "\(refusedCount) refused\n"
        )
        guard refusedCount == 0 else {
            throw CommandFailure(.refused, "\(refusedCount) lines were refused; job \(job)")
        }
    }

    // MARK: Sending

    /// Sends the batch, again and again while the server is away.
    private mutating func send() throws(CommandFailure) {
        guard !numbers.isEmpty else { return }
        patience.heard()
        while true {
            do throws(CommandFailure) {
                try sendOnce()
                break
            } catch {
                guard hasReached, patience.allows(error) else {
                    throw CommandFailure(
                        error.code,
                        error.message + "; everything before line \(numbers[0]) is answered, go on "
                            + "with --job \(job)"
                    )
                }
                patience.pause(error)
            }
        }
        batch.removeAll()
        numbers.removeAll(keepingCapacity: true)
    }

    private mutating func sendOnce() throws(CommandFailure) {
        var answers: [JobAnswer] = []
        var isWhole = false
        var lines = LineSplitter()
        try client.send("POST", "/v1/changes", fields: fields, body: batch.array) {
            (bytes: ByteView) throws(CommandFailure) in
            try lines.feed(bytes) { (line: ByteView) throws(CommandFailure) in
                let answer = try JobAnswer.read(line)
                if answer.done != nil { isWhole = true } else { answers.append(answer) }
            }
        }
        hasReached = true
        guard isWhole, !answers.contains(where: \.isUnknown) else {
            throw CommandFailure(.unreachable, "the server stopped in the middle of a batch")
        }
        for answer in answers { try count(answer) }
    }

    private mutating func count(_ answer: JobAnswer) throws(CommandFailure) {
        progress.step()
        guard let problem = answer.problem else {
            acceptedCount += 1
            if answer.replayed == true { knownCount += 1 }
            return
        }
        refusedCount += 1
        let index = (answer.line ?? 1) - 1
        let number = numbers.indices.contains(index) ? numbers[index] : 0
        let text = "line \(number): \(problem.code): \(problem.detail ?? "")"
        Console.complain(printable(text))
        guard stopsEarly else { return }
        throw CommandFailure(
            .refused,
            "stopped at line \(number); later lines of its batch may be done; job \(job)"
        )
    }
}
