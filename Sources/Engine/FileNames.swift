// The files a document names: `{"$file":"<sha256>",...}`, wherever it stands.
//
// Invariants: what names no file costs two searches for a byte; names of members mean what they say
// once their escapes are resolved.
public import HoldfastBasics
internal import HoldfastJSONCoding

/// The files a document names, in the order they stand in it, one as often as it is named.
public struct FileNames {
    /// Their digests.
    public private(set) var digests: [Digest256] = []
    /// Where each of them stands, as `photos.0`.
    private(set) var paths: [String] = []
    /// Where a member `$file` stands that is no digest; nil when none does.
    private(set) var malformed: String?
    private var steps: [String] = []

    /// Reads a document.
    ///
    /// - Parameter document: Normalised JSON.
    public init(in document: ByteView) {
        guard Self.mayStand(in: document) else { return }
        var scanner = JSONScanner(document)
        do throws(JSONError) {
            try walk(&scanner)
        } catch {
            // No normalised document: what stood before the damage has been found.
        }
    }

    /// Whether a document may name a file; false is certain.
    static func mayStand(in document: ByteView) -> Bool {
        var from = 0
        while let place = document.firstIndex(of: UInt8(ascii: "$"), from: from) {
            let rest = document.suffix(from: place)
            if rest.count > 5, rest[0..<6].equals("$file\"") { return true }
            from = place + 1
        }
        // A letter of the name may be written as an escape.
        from = 0
        while let place = document.firstIndex(of: UInt8(ascii: "\\"), from: from) {
            let rest = document.suffix(from: place)
            if rest.count > 3, rest[0..<4].equals("\\u00") { return true }
            from = min(place + 2, document.count)
        }
        return false
    }

    private mutating func walk(_ scanner: inout JSONScanner) throws(JSONError) {
        switch try scanner.peekKind() {
        case .object:
            try scanner.enterObject()
            while let name = try scanner.nextMember() {
                if name.equals("$file") {
                    take(try scanner.skipValue())
                    continue
                }
                steps.append(String(decoding: name.unescaped, as: UTF8.self))
                try walk(&scanner)
                steps.removeLast()
            }
        case .array:
            try scanner.enterArray()
            var index = 0
            while try scanner.nextElement() {
                steps.append(String(index))
                try walk(&scanner)
                steps.removeLast()
                index += 1
            }
        default: try scanner.skipValue()
        }
    }

    /// Takes the value of a member `$file`.
    private mutating func take(_ value: ByteView) {
        let path = steps.joined(separator: ".")
        guard value.count == 66, value[0] == UInt8(ascii: "\""),
            let digest = Digest256(value[1..<65])
        else {
            malformed = malformed ?? path
            return
        }
        digests.append(digest)
        paths.append(path)
    }
}
