// `%XX` for the bytes that may not stand for themselves.

extension ByteBuffer {
    /// Appends bytes, all but letters, digits, `-`, `.`, `_` and `~` as `%XX`.
    ///
    /// Source: RFC 3986, section 2.3.
    public mutating func append(percentEncoded bytes: ByteView) {
        let digits = ByteView("0123456789ABCDEF")
        for index in 0..<bytes.count {
            let byte = bytes[index]
            switch byte {
            case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."),
                UInt8(ascii: "_"), UInt8(ascii: "~"):
                append(byte)
            default:
                append("%")
                append(digits[Int(byte >> 4)])
                append(digits[Int(byte & 15)])
            }
        }
    }
}
