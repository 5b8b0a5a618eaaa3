// The date of HTTP fields: `Sun, 06 Nov 1994 08:49:37 GMT`. Source: RFC 9110, section 5.6.7.
internal import HoldfastBasics

/// A time as HTTP writes it, formatted once per second.
///
/// Each loop keeps one for the Date field of its replies.
public struct HTTPDate: Sendable {
    private static let days: [StaticString] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]
    private static let months: [StaticString] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    private var second: Int64
    /// The 29 characters of the date.
    public private(set) var text: [UInt8]

    /// The date of a time.
    ///
    /// - Parameter milliseconds: Since 1970; years 0000 to 9999.
    public init(milliseconds: Int64) {
        second = Self.second(milliseconds)
        text = Self.format(second)
    }

    /// Moves to another time; formats only when the second has changed.
    public mutating func update(milliseconds: Int64) {
        let now = Self.second(milliseconds)
        guard now != second else { return }
        second = now
        text = Self.format(now)
    }

    private static func second(_ milliseconds: Int64) -> Int64 {
        (milliseconds - (milliseconds < 0 ? 999 : 0)) / 1000
    }

    private static func format(_ second: Int64) -> [UInt8] {
        // "YYYY-MM-DDTHH:MM:SS.mmmZ" has every number that is needed.
        var plain = ByteBuffer(capacity: 24)
        Timestamp.append(milliseconds: second * 1000, to: &plain)
        let view = plain.view
        let day = (second - (second < 0 ? 86_399 : 0)) / 86_400
        let month = Int((view[5] - 48) * 10 + view[6] - 48)
        var out = ByteBuffer(capacity: 32)
        out.append(days[Int((day % 7 + 7) % 7)])
        out.append(", ")
        out.append(view[8..<10])
        out.append(ASCII.space)
        out.append(months[month - 1])
        out.append(ASCII.space)
        out.append(view[0..<4])
        out.append(ASCII.space)
        out.append(view[11..<19])
        out.append(" GMT")
        return out.array
    }
}
