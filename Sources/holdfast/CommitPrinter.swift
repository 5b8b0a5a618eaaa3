// A commit as `holdfast log` prints it.
internal import HoldfastBasics
internal import HoldfastCommitLog
internal import HoldfastRecords
internal import HoldfastWire

/// Prints commits on standard output, as text or as the JSON of the feed.
struct CommitPrinter {
    let isJSON: Bool
    private let output = Output()

    init(isJSON: Bool) { self.isJSON = isJSON }

    func finish() throws(CommandFailure) { try output.flush() }

    func print(_ frame: Frame) throws(CommandFailure) {
        var line = ByteBuffer(capacity: 1024)
        do {
            let commit = try CommitView(frame.content)
            if isJSON {
                _ = try CommitMessage.append(commit, to: &line)
                line.append("\n")
            } else {
                line.append(text: try text(of: commit))
            }
        } catch {
            throw CommandFailure(
                .damaged,
                "commit \(frame.seq) cannot be read (\(error)); `holdfast verify` tells more"
            )
        }
        try output.append(line.view)
    }

    private func text(of commit: CommitView) throws -> String {
        let (app, why) = try commit.details()
        var text = CommitText.head(
            seq: commit.seq,
            at: Timestamp.text(milliseconds: commit.at),
            who: (commit.user.text, commit.device.text),
            id: commit.changeID.description,
            app: app.text,
            job: commit.jobID == .none ? "" : commit.jobID.description,
            why: why.text
        )
        try commit.forEachBlock { block, _ in
            try block.forEachEffect { effect in
                text += CommitText.effect(
                    tree: block.name.text,
                    key: effect.key.description,
                    label: effect.label?.name ?? "unknown",
                    state: effect.isSet ? effect.state.description : nil
                )
            }
        }
        return text
    }
}

/// The lines of a commit for people.
enum CommitText {
    /// The first line: what everybody asks first.
    static func head(
        seq: UInt64,
        at time: String,
        who: (user: String, device: String),
        id: String,
        app: String,
        job: String,
        why: String
    ) -> String {
        let caller = printable(who.user) + "@" + printable(who.device)
        var text = "\(seq) \(time) \(caller) \(id)"
        if !app.isEmpty { text += " app=" + quoted(app) }
        if !job.isEmpty { text += " job=\(job)" }
        if !why.isEmpty { text += " why=" + quoted(why) }
        return text + "\n"
    }

    /// The line of an effect; `state` is nil where a record was removed.
    static func effect(tree: String, key: String, label: String, state: String?) -> String {
        var text = "    \(tree) \(printable(key)) \(label)"
        guard let state else { return text + (label == "delete" ? "\n" : " (removed)\n") }
        if state != "plain" { text += " \(state)" }
        return text + "\n"
    }

    /// A text that may hold blanks.
    private static func quoted(_ text: String) -> String {
        let parts = printable(text).split(separator: "\"", omittingEmptySubsequences: false)
        return "\"" + parts.joined(separator: "\\\"") + "\""
    }
}
