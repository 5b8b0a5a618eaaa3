// `holdfast-bench`: the product against its peers, in one run on one machine.
//
// Every figure is the median of rounds, and peers run in turn with us, so that a machine that slows
// down slows both. A measure that fails is reported and the others go on.
internal import Foundation

/// The program.
enum Benchmark {
    /// Runs the program.
    ///
    /// - Parameter arguments: Those of the command line, without the program's name.
    /// - Returns: The exit code.
    static func run(_ arguments: [String]) -> Int32 {
        signal(SIGPIPE, SIG_IGN)
        if arguments.first == LoadCommand.name { return LoadCommand.run(arguments.dropFirst()) }
        let options: Options
        switch Options.read(arguments) {
        case .help:
            print(Options.help)
            return 0
        case .wrong(let reason):
            complain("\(reason)\n\n\(Options.help)")
            return 64
        case .options(let read): options = read
        }
        do {
            return try run(options)
        } catch {
            complain("\(error)")
            return 1
        }
    }

    private static func run(_ options: Options) throws -> Int32 {
        let folder = try ScratchFolder()
        defer { folder.remove() }
        let report = Report(options)
        let context = Context(options: options, folder: folder, report: report)
        for family in families where options.subjects.contains(family.subject) {
            do {
                try family.measure(context)
            } catch {
                report.fail(family.name, "\(error)")
            }
        }
        try report.finish()
        return report.hasFailed ? 1 : 0
    }

    private struct Family: Sendable {
        let subject: Options.Subject
        let name: String
        let measure: @Sendable (Context) throws -> Void
    }

    private static let families = [
        Family(subject: .server, name: "get", measure: GetMeasure.run),
        Family(subject: .server, name: "put", measure: PutMeasure.run),
        Family(subject: .server, name: "feed", measure: FeedMeasure.run),
        Family(subject: .storage, name: "insert", measure: InsertMeasure.run),
        Family(subject: .storage, name: "loose insert", measure: LooseInsertMeasure.run),
        Family(subject: .storage, name: "log", measure: LogMeasure.run),
        Family(subject: .storage, name: "checkpoint", measure: CheckpointMeasure.run),
        Family(subject: .storage, name: "backup", measure: BackupMeasure.run),
        Family(subject: .growth, name: "growth", measure: GrowthMeasure.run),
        Family(subject: .client, name: "codec", measure: CodecMeasure.run),
        Family(subject: .client, name: "lookup", measure: LookupMeasure.run),
        Family(subject: .client, name: "embedded", measure: EmbeddedMeasure.run),
        Family(subject: .client, name: "first sync", measure: FirstSyncMeasure.run),
    ]

    /// Says something on standard error.
    static func complain(_ text: String) {
        FileHandle.standardError.write(Data((text + "\n").utf8))
    }
}

/// What every measure is given.
struct Context {
    let options: Options
    let folder: ScratchFolder
    let report: Report

    /// How many rounds, or how much of anything, a run takes.
    func choose<T>(quick: T, whole: T) -> T { options.isQuick ? quick : whole }
}

/// Why a measure could not be taken.
struct BenchError: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}
