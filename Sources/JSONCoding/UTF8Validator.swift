// UTF-8 by the table of Unicode: no overlong forms, no surrogates, nothing above U+10FFFF.
public import HoldfastBasics

/// Says whether bytes are UTF-8.
public enum UTF8Validator {
    /// Whether all bytes are well-formed UTF-8.
    ///
    /// - Parameter bytes: What is to be checked; no bytes are valid.
    /// - Returns: False for overlong forms, surrogates, scalars above U+10FFFF and cut sequences.
    ///
    /// Complexity: one pass, eight bytes a step through ASCII.
    public static func isValid(_ bytes: ByteView) -> Bool {
        bytes.withUnsafeBytes { raw in
            guard let base = raw.baseAddress else { return true }
            var at = base.assumingMemoryBound(to: UInt8.self)
            let end = at + raw.count
            while true {
                while end - at >= 8, ByteScan.word(at) & ByteScan.highs == 0 { at += 8 }
                while at < end, at.pointee < 0x80 { at += 1 }
                guard at < end else { return true }
                while at < end, at.pointee >= 0x80 {
                    let length = ByteScan.sequenceLength(at, end: end)
                    if length == 0 { return false }
                    at += length
                }
            }
        }
    }
}
