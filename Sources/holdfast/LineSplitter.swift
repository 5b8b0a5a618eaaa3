// Lines out of pieces.
internal import HoldfastBasics

/// Puts lines together from the pieces in which they come.
struct LineSplitter: ~Copyable {
    private var rest = ByteBuffer()
    /// Bytes of `rest` that hold no end of line.
    private var searched = 0

    init() {}

    /// Bytes of a line whose end has not come yet.
    var pendingByteCount: Int { rest.count }

    /// Takes a piece and gives every line that is whole, without its newline.
    mutating func feed(
        _ bytes: ByteView,
        _ body: (ByteView) throws(CommandFailure) -> Void
    ) throws(CommandFailure) {
        rest.append(bytes)
        while let end = rest.view.suffix(from: searched).firstIndex(of: UInt8(ascii: "\n")) {
            let count = searched + end
            searched = 0
            try body(rest.view[0..<count])
            rest.consume(count + 1)
        }
        searched = rest.count
    }

    /// What stands after the last newline; it is given once.
    mutating func finish(
        _ body: (ByteView) throws(CommandFailure) -> Void
    ) throws(CommandFailure) {
        if !rest.isEmpty { try body(rest.view) }
        rest.removeAll()
        searched = 0
    }
}
