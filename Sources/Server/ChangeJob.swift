// A job of NDJSON: one change a line.
internal import HoldfastBasics
internal import HoldfastRecords

/// A job whose lines are changes.
final class ChangeJob: LineJob {
    private var input = ByteBuffer()
    /// Whether what comes belongs to a line that was too long, up to its end.
    private var isSkipping = false

    override func read(_ bytes: ByteView) {
        var rest = bytes
        while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
            if isSkipping {
                isSkipping = false
            } else if input.isEmpty {
                take(rest[0..<end])
            } else {
                input.append(rest[0..<end])
                takeInput()
            }
            rest = rest.suffix(from: end + 1)
        }
        if !isSkipping { input.append(rest) }
        if input.count > Limits.commitByteCountMax { failLine() }
    }

    override func readRest() {
        if !input.isEmpty { takeInput() }
    }

    private func takeInput() {
        let bytes = input.array
        input.removeAll()
        bytes.withView(take)
    }

    private func take(_ text: ByteView) {
        line += 1
        // A line may end in CR LF; what is sent again with LF alone is the same change.
        let endsInCR = !text.isEmpty && text[text.count - 1] == UInt8(ascii: "\r")
        let text = endsInCR ? text[0..<text.count - 1] : text
        guard !text.isEmpty else { return }
        perform(text, from: text)
    }

    /// A line longer than any commit: the rest of it is passed over.
    private func failLine() {
        input.removeAll()
        input.shrinkIfEmpty(above: 1 << 20)
        isSkipping = true
        line += 1
        refuse(
            Refusal(.tooLarge, "A line may have \(Limits.commitByteCountMax) bytes."),
            seq: 0
        )
    }
}
