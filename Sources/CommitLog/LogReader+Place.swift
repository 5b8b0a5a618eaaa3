// From a logical offset to the file and the byte an operator can look at.

extension LogReader {
    /// Where a logical offset lies; traps before the oldest segment.
    ///
    /// - Parameter offset: As in `Frame.offset`.
    /// - Returns: The segment's file, relative to the directory, and the offset in it in bytes.
    public func place(ofOffset offset: UInt64) -> (file: String, byte: Int) {
        let segment = segments[segments.slot(ofOffset: offset)]
        return (segment.path, Int(offset - segment.base))
    }
}
