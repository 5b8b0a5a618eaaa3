// `holdfast import --csv`: sends a table as one job, whose rows are answered while it goes out.
//
// One request, so that the lines of the file are those of the job: the same table sent again under
// the same job is not done twice, and `undo?job=true` takes back all of it.
internal import HoldfastBasics
internal import HoldfastRecords
internal import HoldfastWire

/// The file of one sending.
private final class Table {
    let reader: InputReader

    init(_ path: String) throws(CommandFailure) { reader = try InputReader(path) }
}

/// Sends the rows of a table and counts what becomes of them.
final class TableSender {
    private let client: Client
    private let path: String
    private let job: UniqueID
    private let target: String
    private let fields: [(name: String, value: String)]
    private let stopsEarly: Bool
    private let isRehearsal: Bool
    private var patience: JobPatience
    private var progress = Progress("rows answered")
    /// Refusals up to this line were told, before the table was sent once more.
    private var toldLine = 0

    // Of one sending:
    private var rows = CSVReader(rowByteCountMax: Limits.commitByteCountMax)
    /// The line of the row that names the columns; nil before it.
    private var headerLine: Int?
    private var sentCount = 0
    private var answeredCount = 0
    private var acceptedCount = 0
    private var knownCount = 0
    private var unchangedCount = 0
    private var refusedCount = 0
    private var isInputAtEnd = false
    private var isWhole = false

    /// Rows on their way before an answer is waited for: neither side then holds many.
    private static let underWayCountMax = 4000

    init(
        _ client: Client,
        tree: String,
        job: UniqueID,
        _ arguments: Arguments
    ) throws(CommandFailure) {
        self.client = client
        self.job = job
        path = arguments.positionals[0]
        isRehearsal = arguments.has("dry-run")
        stopsEarly = arguments.has("stop")
        target = "/v1/changes?tree=" + Client.encoded(tree) + (isRehearsal ? "&dryRun=true" : "")
        fields = ImportSender.fields("text/csv", job: job, arguments)
        patience = try JobPatience(arguments)
    }

    /// Sends the table, again from its beginning while the server is away.
    func send() throws(CommandFailure) {
        // Many rows go out before the first answer: that a server is there at all is asked before.
        try client.send("GET", "/v1") { (_: ByteView) throws(CommandFailure) in }
        while true {
            do throws(CommandFailure) {
                try sendOnce(Table(path))
                break
            } catch {
                // Standard input is gone with the first sending.
                guard path != "-", patience.allows(error) else { throw advised(error) }
                patience.pause(error)
            }
        }
        try tell()
    }

    private func advised(_ failure: CommandFailure) -> CommandFailure {
        guard failure.code == .unreachable else { return failure }
        return CommandFailure(
            failure.code,
            failure.message
                + "; \(answeredCount) rows are answered, send the same table again with "
                + "--job \(job)"
        )
    }

    private func tell() throws(CommandFailure) {
        let before = knownCount == 0 && isRehearsal ? "" : ", \(knownCount) of them before"
        try Console.print(
            (isRehearsal ? "nothing was done: " : "")
                + "\(acceptedCount) rows \(isRehearsal ? "would be " : "")accepted\(before), "
                + "\(unchangedCount) unchanged; \(refusedCount) refused\n"
        )
        guard refusedCount == 0 else {
            throw CommandFailure(
                .refused,
                "\(refusedCount) rows \(isRehearsal ? "would be" : "were") refused; job \(job)"
            )
        }
    }

    // MARK: Sending

    private func sendOnce(_ table: Table) throws(CommandFailure) {
        begin()
        var lines = LineSplitter()
        try client.stream(target, fields: fields) {
            (piece: inout ByteBuffer) throws(CommandFailure) in
            try self.next(of: table, &piece)
        } sink: { (bytes: ByteView) throws(CommandFailure) in
            try lines.feed(bytes) { (line: ByteView) throws(CommandFailure) in
                try self.take(try JobAnswer.read(line))
            }
        }
        guard isWhole, isInputAtEnd else {
            throw CommandFailure(.unreachable, "the server stopped in the middle of the table")
        }
    }

    private func begin() {
        rows = CSVReader(rowByteCountMax: Limits.commitByteCountMax)
        headerLine = nil
        (sentCount, answeredCount, acceptedCount) = (0, 0, 0)
        (knownCount, unchangedCount, refusedCount) = (0, 0, 0)
        (isInputAtEnd, isWhole) = (false, false)
    }

    /// More of the table; nothing while too many rows are on their way.
    private func next(of table: Table, _ piece: inout ByteBuffer) throws(CommandFailure) -> Bool {
        guard sentCount - answeredCount < Self.underWayCountMax else { return true }
        guard try table.reader.read(into: &piece) else {
            rows.end(count)
            isInputAtEnd = true
            return false
        }
        rows.read(piece.view, count)
        return true
    }

    private func count(_ row: CSVReader.Row) {
        // The row that names the columns is answered only when it is refused.
        if headerLine == nil { headerLine = row.line } else { sentCount += 1 }
    }

    // MARK: Answers

    private func take(_ answer: JobAnswer) throws(CommandFailure) {
        patience.heard()
        guard answer.done == nil else { return isWhole = true }
        guard !answer.isUnknown else {
            throw CommandFailure(.unreachable, "the server stopped in the middle of the table")
        }
        let line = answer.line ?? 0
        answeredCount += 1
        progress.step()
        guard let problem = answer.problem else {
            acceptedCount += 1
            if answer.replayed == true { knownCount += 1 }
            if answer.unchanged == true { unchangedCount += 1 }
            return
        }
        let column = problem.field.map { ", column \($0)" } ?? ""
        let text = printable("line \(line)\(column): \(problem.code): \(problem.detail ?? "")")
        guard line > headerLine ?? line else {
            throw CommandFailure(.refused, text + " No row was done.")
        }
        refusedCount += 1
        if line > toldLine {
            Console.complain(text)
            toldLine = line
        }
        guard stopsEarly else { return }
        throw CommandFailure(
            .refused,
            "stopped at line \(line); "
                + (isRehearsal ? "nothing was done" : "later rows may be done; job \(job)")
        )
    }
}
