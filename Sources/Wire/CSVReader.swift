// CSV as it comes: rows of cells out of bytes, however they are cut. Source: RFC 4180.
//
// A cell in quotes may hold commas, quotes (doubled) and line ends. Rows end in CR LF or LF; empty
// ones are passed over; a byte order mark before the first is. What breaks these rules spoils its
// row alone: the next one begins after the next line end outside quotes.
public import HoldfastBasics
internal import HoldfastJSONCoding

/// Splits CSV into rows.
public struct CSVReader: Sendable {
    /// One cell.
    public struct Cell: Hashable, Sendable {
        /// Its text, quotes taken off.
        public let bytes: [UInt8]
        /// Whether it stood in quotes: an empty one is then a text, and not nothing.
        public let isQuoted: Bool

        /// Puts a cell together.
        public init(_ bytes: [UInt8], isQuoted: Bool = false) {
            self.bytes = bytes
            self.isQuoted = isQuoted
        }
    }

    /// What is wrong with a row.
    public enum Fault: Hashable, Sendable {
        /// A quote stands inside a cell without quotes, or something follows one in quotes.
        case quote
        /// The input ends inside quotes.
        case open
        /// A CR stands outside quotes without LF.
        case carriageReturn
        /// It is longer than a row may be.
        case tooLong
        /// It is not UTF-8.
        case notUTF8
    }

    /// One row.
    public struct Row: Sendable {
        /// The line of the input it begins on, from 1.
        public let line: Int
        /// Its cells, at least one; not all of them when there is a fault.
        public let cells: [Cell]
        /// What is wrong with it; nil when nothing is.
        public let fault: Fault?
    }

    private enum State {
        /// Before the first byte of a cell.
        case start
        /// In a cell without quotes.
        case plain
        /// In quotes.
        case quoted
        /// After a quote in quotes: the end of the cell, or half of a quote in it.
        case quote
    }

    private static let mark: [UInt8] = [0xEF, 0xBB, 0xBF]

    private let rowByteCountMax: Int
    private var state = State.start
    private var cells: [Cell] = []
    private var cell: [UInt8] = []
    private var isQuoted = false
    private var rowByteCount = 0
    private var fault: Fault?
    private var afterCR = false
    /// The line of the byte to come, and the one the row began on.
    private var line = 1
    private var firstLine = 1
    /// Bytes of a byte order mark seen at the beginning; nil after it.
    private var markCount: Int? = 0

    /// Begins before the first byte.
    ///
    /// - Parameter rowByteCountMax: How long a row may be.
    public init(rowByteCountMax: Int) { self.rowByteCountMax = rowByteCountMax }

    /// Takes the next bytes.
    ///
    /// - Parameters:
    ///   - bytes: What came.
    ///   - body: Is given each row that ends in them.
    public mutating func read(_ bytes: ByteView, _ body: (Row) -> Void) {
        for index in 0..<bytes.count {
            let byte = bytes[index]
            if let seen = markCount {
                if seen < Self.mark.count, byte == Self.mark[seen] {
                    markCount = seen + 1
                    continue
                }
                endMark(body)
            }
            take(byte, body)
        }
    }

    /// Half a mark is none: it is the beginning of the first cell.
    private mutating func endMark(_ body: (Row) -> Void) {
        guard let seen = markCount else { return }
        markCount = nil
        guard seen < Self.mark.count else { return }
        for byte in Self.mark[..<seen] { take(byte, body) }
    }

    /// The input is complete.
    ///
    /// - Parameter body: Is given the last row, when it has no line end.
    public mutating func end(_ body: (Row) -> Void) {
        endMark(body)
        if state == .quoted { fault = fault ?? .open }
        if afterCR { fault = fault ?? .carriageReturn }
        afterCR = false
        if state != .start || !cells.isEmpty || fault != nil { endRow(body) }
    }

    private mutating func take(_ byte: UInt8, _ body: (Row) -> Void) {
        if byte == UInt8(ascii: "\n") { line += 1 }
        if state == .quoted {
            guard byte == UInt8(ascii: "\"") else { return keep(byte) }
            state = .quote
            return
        }
        if afterCR {
            afterCR = false
            if byte != UInt8(ascii: "\n") { fault = fault ?? .carriageReturn }
        }
        switch byte {
        case UInt8(ascii: ","):
            endCell()
        case UInt8(ascii: "\n"):
            endRow(body)
        case UInt8(ascii: "\r"):
            afterCR = true
        case UInt8(ascii: "\""):
            switch state {
            case .start:
                state = .quoted
                isQuoted = true
            case .quote:
                state = .quoted
                keep(byte)
            case .plain, .quoted:
                fault = fault ?? .quote
            }
        default:
            if state == .quote { fault = fault ?? .quote }
            state = .plain
            keep(byte)
        }
    }

    private mutating func keep(_ byte: UInt8) {
        count(1)
        if fault != .tooLong { cell.append(byte) }
    }

    /// Counts what a row holds; of one that holds too much nothing is kept.
    private mutating func count(_ byteCount: Int) {
        rowByteCount += byteCount
        guard rowByteCount > rowByteCountMax, fault != .tooLong else { return }
        fault = .tooLong
        cells = []
        cell = []
    }

    private mutating func endCell() {
        // A row of commas alone costs memory too.
        count(MemoryLayout<Cell>.stride)
        if fault == nil { cells.append(Cell(cell, isQuoted: isQuoted)) }
        cell.removeAll(keepingCapacity: true)
        isQuoted = false
        state = .start
    }

    private mutating func endRow(_ body: (Row) -> Void) {
        let isEmpty = cells.isEmpty && state == .start && fault == nil
        endCell()
        if !isEmpty {
            if fault == nil, !cells.allSatisfy({ $0.bytes.withView(UTF8Validator.isValid) }) {
                fault = .notUTF8
            }
            body(Row(line: firstLine, cells: cells, fault: fault))
        }
        cells.removeAll(keepingCapacity: true)
        fault = nil
        rowByteCount = 0
        firstLine = line
    }
}
