// A number token and its exact meaning, without a detour through Double for integers.
public import HoldfastBasics

/// A number inside a document.
///
/// Valid as long as the document's view.
public struct JSONNumber {
    /// What reading the token's digits gave.
    struct Parts {
        var isNegative: Bool
        var isInteger = true
        /// Whether `magnitude` holds all digits.
        var isExact = true
        var magnitude: UInt64 = 0
        /// Power of ten by which `magnitude` is to be multiplied.
        var exponent = 0
    }

    /// The bytes as they are written.
    public let token: ByteView
    private let parts: Parts
    private let offset: Int

    init(token: ByteView, parts: Parts, offset: Int) {
        self.token = token
        self.parts = parts
        self.offset = offset
    }

    /// Whether the token is an integer: digits without fraction and exponent, as `1` but not `1.0`.
    public var isInteger: Bool { parts.isInteger }

    /// The value as an integer type, when the token is an integer in its range.
    ///
    /// `-0` is 0.
    public func integer<I: FixedWidthInteger>(_: I.Type = I.self) -> I? {
        guard parts.isInteger, parts.isExact else { return nil }
        return JSONCursor.signed(parts.magnitude, isNegative: parts.isNegative, I.self)
    }

    /// The nearest double, or nil when the number is too large for any.
    ///
    /// Source: Clinger, "How to read floating point numbers accurately", PLDI 1990: a product or
    /// quotient of two exact doubles is correctly rounded. The rest goes to the C library.
    public var double: Double? {
        if parts.isExact, parts.magnitude <= 1 << 53, abs(parts.exponent) <= 22 {
            let value = Double(parts.magnitude)
            let scaled =
                parts.exponent < 0
                ? value / Self.power(-parts.exponent) : value * Self.power(parts.exponent)
            return parts.isNegative ? -scaled : scaled
        }
        guard let value = Double(token.text), value.isFinite else { return nil }
        return value
    }

    /// The nearest float, or nil when the number is too large for any.
    ///
    /// Not by way of a double, which would round twice.
    public var float: Float? {
        if parts.isExact, parts.magnitude <= 1 << 24, abs(parts.exponent) <= 10 {
            let value = Float(parts.magnitude)
            let power = Float(Self.power(abs(parts.exponent)))
            let scaled = parts.exponent < 0 ? value / power : value * power
            return parts.isNegative ? -scaled : scaled
        }
        guard let value = Float(token.text), value.isFinite else { return nil }
        return value
    }

    /// Ten to the power of 0 to 22, each of which is an exact double.
    private static func power(_ exponent: Int) -> Double {
        powers[exponent]
    }

    private static let powers: [Double] = [
        1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
        1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
    ]
}
