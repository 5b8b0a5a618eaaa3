import HoldfastBasics
import HoldfastRecords
import HoldfastTestSupport
import Testing

@testable import HoldfastEngine

@Suite struct ValueFormTests {
    private func form(_ token: String, _ type: FieldType) -> [UInt8]? {
        Array(token.utf8).withView { ValueForm.form($0, of: type) }
    }

    @Test(
        "Forms are in the order of values",
        arguments: [
            (.bool, ["false", "true"]),
            (
                .int(bits: 64),
                [
                    "-9223372036854775808", "-9007199254740993", "-9007199254740992", "-256", "-1",
                    "0", "1", "255", "256", "9007199254740992", "9007199254740993",
                    "9223372036854775807",
                ]
            ),
            (.uint(bits: 64), ["0", "1", "9223372036854775808", "18446744073709551615"]),
            (
                .double,
                [
                    "-1e308", "-2", "-1.5", "-1e-320", "0", "5e-324", "1", "1.0000000000000002",
                    "1e308",
                ]
            ),
            (
                .string,
                ["\"\"", "\"B\"", "\"a\"", "\"aa\"", "\"e\u{301}\"", "\"\u{e9}\"", "\"\u{ffff}\""]
            ),
            (
                .date,
                [
                    "\"1969-12-31T23:59:59.999Z\"", "\"1970-01-01T00:00:00Z\"",
                    "\"2026-11-20T10:00:00.1Z\"", "\"2026-11-20T10:00:00.123Z\"",
                ]
            ),
            (
                .decimal,
                [
                    "\"-100.5\"", "\"-100\"", "\"-99.99\"", "\"-1.25\"", "\"-1.2\"", "\"-0.05\"",
                    "\"-0.0005\"", "\"0\"", "\"0.0005\"", "\"0.05\"", "\"0.5\"", "\"1.2\"",
                    "\"1.25\"", "\"9\"", "\"10\"", "\"100\"", "\"100.5\"",
                    "\"99999999999999999999999999999999999998\"",
                    "\"99999999999999999999999999999999999999\"",
                ]
            ),
            (
                .uuid,
                [
                    "\"00000000-0000-0000-0000-000000000001\"",
                    "\"0193c2a0-5b7e-7d31-9c44-0f6b2a9e1d10\"",
                    "\"0193C2A0-5B7E-7D31-9C44-0F6B2A9E1D11\"",
                ]
            ),
        ] as [(FieldType, [String])]
    )
    func order(_ type: FieldType, _ tokens: [String]) throws {
        let forms = try tokens.map { try #require(form($0, type), "\($0)") }
        for (low, high) in zip(forms, forms.dropFirst()) {
            #expect(low.withView { low in high.withView { low.precedes($0) } })
        }
    }

    @Test(
        "Values that mean the same have one form",
        arguments: [
            (.int(bits: 8), "0", "-0"), (.double, "0", "-0.0"), (.double, "1", "10e-1"),
            (.float, "0.1", "0.10000000149011612"), (.decimal, "\"1.50\"", "\"1.5\""),
            (.decimal, "\"-0.0\"", "\"0\""), (.string, "\"a\\u0062\"", "\"ab\""),
            (.date, "\"2026-01-01T00:00:00Z\"", "\"2026-01-01T00:00:00.000Z\""),
            (
                .uuid, "\"0193c2a0-5b7e-7d31-9c44-0f6b2a9e1d10\"",
                "\"0193C2A0-5B7E-7D31-9C44-0F6B2A9E1D10\""
            ),
        ] as [(FieldType, String, String)]
    )
    func same(_ type: FieldType, _ one: String, _ other: String) throws {
        let expected = try #require(form(one, type))
        #expect(form(other, type) == expected)
    }

    @Test(
        "A value of another type has no form",
        arguments: [
            (.int(bits: 64), "\"1\""), (.int(bits: 64), "1.0"), (.int(bits: 64), "true"),
            (.uint(bits: 64), "-1"), (.bool, "1"), (.string, "1"), (.string, "null"),
            (.double, "\"1\""), (.date, "\"now\""), (.uuid, "\"x\""), (.decimal, "1"),
            (.any, "1"), (.array(.string), "[]"), (.file, "{}"),
        ] as [(FieldType, String)]
    )
    func other(_ type: FieldType, _ token: String) {
        #expect(form(token, type) == nil)
    }

    @Test("Random decimals are ordered as their numbers are")
    func randomDecimals() throws {
        let random = SeededRandom(seed: 20_261_122)
        func number() -> (text: String, value: Int) {
            let value = Int(random.next() % 2_000_000) - 1_000_000
            let digits = String(value.magnitude)
            let padded = String(repeating: "0", count: max(0, 4 - digits.count)) + digits
            let text = (value < 0 ? "-" : "") + padded.dropLast(3) + "." + padded.suffix(3)
            return (text, value)
        }
        for _ in 0..<20_000 {
            let (a, b) = (number(), number())
            let x = try #require(form("\"\(a.text)\"", .decimal), "\(a.text)")
            let y = try #require(form("\"\(b.text)\"", .decimal), "\(b.text)")
            let order = x.withView { x in y.withView { x.compare($0) } }
            #expect((order < 0) == (a.value < b.value), "\(a.text) and \(b.text)")
            #expect((order == 0) == (a.value == b.value), "\(a.text) and \(b.text)")
        }
    }
}
