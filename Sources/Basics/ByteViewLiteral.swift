// Byte views of ASCII literals, and comparisons with them that protocols need.

extension ByteView {
    /// The bytes of a literal, which live as long as the process.
    public init(_ literal: StaticString) {
        self.init(start: literal.utf8Start, count: literal.utf8CodeUnitCount)
    }

    /// Whether the bytes are those of a lower-case ASCII literal, letters taken in either case.
    public func equalsIgnoringCase(_ lowerCase: StaticString) -> Bool {
        guard count == lowerCase.utf8CodeUnitCount else { return false }
        return equalsIgnoringCase(ByteView(lowerCase))
    }

    /// Whether two runs of bytes are the same, ASCII letters taken in either case.
    public func equalsIgnoringCase(_ other: ByteView) -> Bool {
        guard count == other.count else { return false }
        for index in 0..<count {
            let (mine, theirs) = (start[index], other.start[index])
            guard mine != theirs else { continue }
            // Letters of two cases differ in bit 5 alone.
            guard mine ^ theirs == 0x20, (97...122).contains(mine | 0x20) else { return false }
        }
        return true
    }
}
