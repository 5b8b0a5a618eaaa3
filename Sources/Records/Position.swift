// Epochs and positions: which history, and how far along it.
public import HoldfastBasics

/// One history of a database, named by 64 random bits and never reused.
public struct Epoch: Hashable, Sendable, CustomStringConvertible {
    /// The random bits.
    public let rawValue: UInt64

    /// Takes random bits.
    public init(rawValue: UInt64) { self.rawValue = rawValue }

    private static let alphabet = Array("0123456789abcdefghjkmnpqrstvwxyz".utf8)

    /// 13 characters of lower-case Crockford base32, the first of them 0 to f.
    public var description: String {
        String(decoding: (0..<13).map { Self.alphabet[digit($0)] }, as: UTF8.self)
    }

    /// Appends the 13 characters.
    public func append(to buffer: inout ByteBuffer) {
        for index in 0..<13 { buffer.append(Self.alphabet[digit(index)]) }
    }

    private func digit(_ index: Int) -> Int { Int(rawValue >> UInt64(60 - index * 5) & 31) }

    /// Reads exactly 13 characters as `description` writes them; anything else is nil.
    public init?(_ text: ByteView) {
        guard text.count == 13 else { return nil }
        var value: UInt64 = 0
        for index in 0..<13 {
            guard let digit = Self.alphabet.firstIndex(of: text[index]) else { return nil }
            if index == 0, digit > 15 { return nil }
            value = value << 5 | UInt64(digit)
        }
        rawValue = value
    }
}

/// A point in a history: after the commit `seq` of `epoch`.
public struct Position: Hashable, Sendable, CustomStringConvertible {
    /// The history.
    public let epoch: Epoch
    /// Dense from 1, one per commit; 0 is before the first.
    public let seq: UInt64

    /// Names a point.
    public init(epoch: Epoch, seq: UInt64) {
        self.epoch = epoch
        self.seq = seq
    }

    /// `epoch:seq`.
    public var description: String { "\(epoch):\(seq)" }

    /// Appends `epoch:seq`.
    public func append(to buffer: inout ByteBuffer) {
        epoch.append(to: &buffer)
        buffer.append(UInt8(ascii: ":"))
        buffer.append(decimal: seq)
    }

    /// Reads `epoch:seq`; anything else, or a seq above `Limits.numberMax`, is nil.
    public init?(_ text: ByteView) {
        guard text.count >= 15, text[13] == UInt8(ascii: ":"), let epoch = Epoch(text[0..<13]),
            let seq = decimalNumber(text.suffix(from: 14))
        else { return nil }
        self.init(epoch: epoch, seq: seq)
    }

    /// Reads `epoch:seq`; anything else is nil.
    public init?(_ text: String) {
        guard let position = Array(text.utf8).withView({ Position($0) }) else { return nil }
        self = position
    }
}

/// Reads decimal digits without sign or leading zero, up to `Limits.numberMax`; nil otherwise.
public func decimalNumber(_ text: ByteView) -> UInt64? {
    guard (1...16).contains(text.count), text.count == 1 || text[0] != 48 else { return nil }
    var value: UInt64 = 0
    for index in 0..<text.count {
        guard (48...57).contains(text[index]) else { return nil }
        value = value * 10 + UInt64(text[index] - 48)
    }
    return value <= Limits.numberMax ? value : nil
}
