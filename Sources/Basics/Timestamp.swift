// RFC 3339 text of a time in UTC, to the millisecond, and back. Source: RFC 3339; the day count is
// Howard Hinnant's "chrono-compatible low-level date algorithms".

/// Times as text: `2026-11-20T10:00:00.123Z`.
public enum Timestamp {
    /// The text of a time.
    ///
    /// Unit: milliseconds since 1970; years 0000 to 9999.
    public static func text(milliseconds: Int64) -> String {
        var buffer = ByteBuffer(capacity: 32)
        append(milliseconds: milliseconds, to: &buffer)
        return buffer.view.text
    }

    /// Appends the text of a time, 24 bytes.
    public static func append(milliseconds: Int64, to buffer: inout ByteBuffer) {
        let clamped = min(max(milliseconds, -62_167_219_200_000), 253_402_300_799_999)
        let days = (clamped / 86_400_000) - (clamped % 86_400_000 < 0 ? 1 : 0)
        let rest = clamped - days * 86_400_000
        let (year, month, day) = civil(days: days)
        digits(year, 4, &buffer)
        buffer.append(UInt8(ascii: "-"))
        digits(month, 2, &buffer)
        buffer.append(UInt8(ascii: "-"))
        digits(day, 2, &buffer)
        buffer.append(UInt8(ascii: "T"))
        digits(rest / 3_600_000, 2, &buffer)
        buffer.append(UInt8(ascii: ":"))
        digits(rest / 60_000 % 60, 2, &buffer)
        buffer.append(UInt8(ascii: ":"))
        digits(rest / 1000 % 60, 2, &buffer)
        buffer.append(UInt8(ascii: "."))
        digits(rest % 1000, 3, &buffer)
        buffer.append(UInt8(ascii: "Z"))
    }

    /// Reads `YYYY-MM-DDTHH:MM:SS[.fraction]Z`, at most nine digits of fraction; nil otherwise.
    ///
    /// The fraction is cut to milliseconds. A leap second (`:60`) is refused.
    public static func milliseconds(_ text: ByteView) -> Int64? {
        guard text.count >= 20, text.count <= 30 else { return nil }
        let marks: [(Int, UInt8)] = [(4, 45), (7, 45), (10, 84), (13, 58), (16, 58)]
        guard marks.allSatisfy({ text[$0.0] == $0.1 }), text[text.count - 1] == 90 else {
            return nil
        }
        guard let year = number(text, 0, 4), let month = number(text, 5, 2),
            let day = number(text, 8, 2), let hour = number(text, 11, 2),
            let minute = number(text, 14, 2), let second = number(text, 17, 2)
        else { return nil }
        guard (1...12).contains(month), day >= 1, day <= length(month: month, year: year),
            hour < 24, minute < 60, second < 60
        else { return nil }
        var thousandths: Int64 = 0
        if text.count > 20 {
            guard text[19] == 46, text.count > 21 else { return nil }
            var scale: Int64 = 100
            for index in 20..<text.count - 1 {
                guard (48...57).contains(text[index]) else { return nil }
                thousandths += Int64(text[index] - 48) * scale
                scale /= 10
            }
        }
        let days = dayCount(year: year, month: month, day: day)
        return ((days * 24 + hour) * 60 + minute) * 60_000 + second * 1000 + thousandths
    }

    private static func number(_ text: ByteView, _ from: Int, _ count: Int) -> Int64? {
        var value: Int64 = 0
        for index in from..<from + count {
            guard (48...57).contains(text[index]) else { return nil }
            value = value * 10 + Int64(text[index] - 48)
        }
        return value
    }

    private static func digits(_ value: Int64, _ width: Int, _ buffer: inout ByteBuffer) {
        var divisor: Int64 = 1
        for _ in 1..<width { divisor *= 10 }
        while divisor > 0 {
            buffer.append(UInt8(truncatingIfNeeded: 48 + value / divisor % 10))
            divisor /= 10
        }
    }

    private static func length(month: Int64, year: Int64) -> Int64 {
        switch month {
        case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }

    private static func dayCount(year: Int64, month: Int64, day: Int64) -> Int64 {
        let y = month <= 2 ? year - 1 : year
        let era = (y >= 0 ? y : y - 399) / 400
        let yearOfEra = y - era * 400
        let dayOfYear = (153 * ((month + 9) % 12) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        return era * 146_097 + dayOfEra - 719_468
    }

    private static func civil(days: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let z = days + 719_468
        let era = (z >= 0 ? z : z - 146_096) / 146_097
        let dayOfEra = z - era * 146_097
        let yearOfEra =
            (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shifted = (5 * dayOfYear + 2) / 153
        let month = shifted < 10 ? shifted + 3 : shifted - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        return (year, month, dayOfYear - (153 * shifted + 2) / 5 + 1)
    }
}
