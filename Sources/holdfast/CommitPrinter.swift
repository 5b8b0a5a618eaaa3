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
        let who = printable(commit.user.text) + "@" + printable(commit.device.text)
        let time = Timestamp.text(milliseconds: commit.at)
        var text = "\(commit.seq) \(time) \(who) \(commit.changeID)"
        if !app.isEmpty { text += " app=" + Self.quoted(app) }
        if commit.jobID != .none { text += " job=\(commit.jobID)" }
        if !why.isEmpty { text += " why=" + Self.quoted(why) }
        text += "\n"
        try commit.forEachBlock { block, _ in
            try block.forEachEffect { effect in
                let key = printable(effect.key.description)
                let label = effect.label?.name ?? "unknown"
                text += "    \(block.name.text) \(key) \(label)"
                if effect.isSet, effect.state != .plain { text += " \(effect.state)" }
                text += effect.isSet || effect.label == .delete ? "\n" : " (removed)\n"
            }
        }
        return text
    }

    /// A text that may hold blanks.
    private static func quoted(_ text: ByteView) -> String {
        "\""
            + printable(text.text).split(separator: "\"", omittingEmptySubsequences: false)
            .joined(separator: "\\\"") + "\""
    }
}
