// Writes JSON tokens onto a buffer: what messages are made of by hand.
public import HoldfastBasics

extension ByteBuffer {
    /// Appends text as a JSON string, with its quotes.
    ///
    /// Quote and backslash are escaped by a backslash, control characters by their letter or as
    /// `\u00XX`; everything else stays as it is.
    ///
    /// - Parameter bytes: Valid UTF-8; not this buffer's own memory.
    ///
    /// Source: RFC 8259, section 7.
    public mutating func appendJSONString(_ bytes: ByteView) {
        bytes.withUnsafeBytes { appendQuoted($0) }
    }

    /// Appends text as a JSON string, with its quotes.
    public mutating func appendJSONString(_ text: String) {
        var text = text
        text.withUTF8 { appendQuoted(UnsafeRawBufferPointer($0)) }
    }

    /// Appends a number in the shortest form that reads back as the same double.
    ///
    /// A whole number below 2^53 has no fraction: `12`, not `12.0`.
    ///
    /// - Throws: `notFinite` for infinity and NaN, which JSON cannot express.
    public mutating func appendJSONNumber(_ value: Double) throws(JSONError) {
        guard value.isFinite else { throw .notFinite }
        appendNumber(value)
    }

    /// Appends an array.
    ///
    /// - Parameters:
    ///   - list: Its elements.
    ///   - append: Appends one of them.
    public mutating func appendList<T>(_ list: [T], _ append: (T, inout ByteBuffer) -> Void) {
        self.append("[")
        for (index, element) in list.enumerated() {
            if index > 0 { self.append(",") }
            append(element, &self)
        }
        self.append("]")
    }

    /// Appends a finite number.
    @inline(__always)
    mutating func appendNumber<F: BinaryFloatingPoint & CustomStringConvertible>(_ value: F) {
        // Below this every whole number is exact, and its digits are the shortest text.
        let limit = F(1 << Int64(F.significandBitCount + 1))
        if value.magnitude < limit, value == value.rounded(.towardZero),
            value != 0 || value.sign == .plus
        {
            append(decimal: Int64(value))
        } else {
            append(text: value.description)
        }
    }

    // Unsafe, with this argument: all pointers lie inside `bytes`, runs are copied by length into
    // room of that length.
    @inline(__always)
    private mutating func appendQuoted(_ bytes: UnsafeRawBufferPointer) {
        guard let base = bytes.baseAddress else { return append("\"\"") }
        let first = base.assumingMemoryBound(to: UInt8.self)
        let end = first + bytes.count
        let stop = ByteScan.stop(from: first, to: end)
        guard stop == end else { return appendEscaped(first, stop, end) }
        append(ASCII.quote)
        append(ByteView(bytes))
        append(ASCII.quote)
    }

    @inline(never)
    private mutating func appendEscaped(
        _ first: UnsafePointer<UInt8>,
        _ firstStop: UnsafePointer<UInt8>,
        _ end: UnsafePointer<UInt8>
    ) {
        append(ASCII.quote)
        var run = first
        var stop = firstStop
        while stop < end {
            append(ByteView(UnsafeRawBufferPointer(start: run, count: stop - run)))
            appendEscape(of: stop.pointee)
            run = stop + 1
            stop = ByteScan.stop(from: run, to: end)
        }
        append(ByteView(UnsafeRawBufferPointer(start: run, count: end - run)))
        append(ASCII.quote)
    }

    private mutating func appendEscape(of byte: UInt8) {
        append(ASCII.backslash)
        switch byte {
        case 8: append(UInt8(ascii: "b"))
        case 9: append(UInt8(ascii: "t"))
        case 10: append(UInt8(ascii: "n"))
        case 12: append(UInt8(ascii: "f"))
        case 13: append(UInt8(ascii: "r"))
        case 0..<0x20:
            append("u00")
            append(48 + byte >> 4)
            append(byte & 15 < 10 ? 48 + byte & 15 : 87 + byte & 15)
        default: append(byte)
        }
    }
}
