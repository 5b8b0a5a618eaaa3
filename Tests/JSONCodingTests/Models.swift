import Foundation

/// A record of twelve fields, about 430 bytes as JSON.
struct Part: Codable, Equatable {
    enum Status: String, Codable, CaseIterable { case open, blocked, inProgress, done }
    struct Address: Codable, Equatable {
        var street: String
        var city: String
        var zip: String
        var country: String
        var latitude: Double
        var longitude: Double
    }
    var id: UUID
    var title: String
    var owner: String
    var status: Status
    var priority: Int
    var amount: Double
    var created: Date
    var updated: Date?
    var tags: [String]
    var counts: [Int]
    var address: Address
    var note: String?
    var active: Bool

    static func sample(_ number: Int) -> Part {
        let word = UInt64(truncatingIfNeeded: number) &* 0x9E37_79B9_7F4A_7C15
        return Part(
            id: withUnsafeBytes(of: (word, ~word)) {
                UUID(uuid: $0.loadUnaligned(as: uuid_t.self))
            },
            title: "Invoice reminder number \(number) — überfällig",
            owner: "user\(number % 1000)@example.com",
            status: Status.allCases[number & 3],
            priority: number % 10,
            amount: Double(number % 100_000) / 100 + 0.07,
            created: Date(timeIntervalSince1970: 1_700_000_000.25 + Double(number)),
            updated: number % 2 == 0 ? Date(timeIntervalSince1970: 1_710_000_000) : nil,
            tags: ["billing", "q\(number % 4)", "customer"],
            counts: [number % 7, number % 77, number % 777],
            address: Address(
                street: "\(number % 300) Main Street",
                city: "Springfield",
                zip: "\(10000 + number % 9999)",
                country: "DE",
                latitude: 48.1374 + Double(number % 100) / 1000,
                longitude: 11.5755
            ),
            note: number % 3 == 0 ? "Call back \"tomorrow\"\nor next week" : nil,
            active: number & 1 == 0
        )
    }
}

/// An enum with payloads: synthesised with nested containers.
indirect enum Shape: Codable, Equatable {
    case point
    case circle(radius: Double)
    case labelled(String, Shape)
    case group([Shape])
}

/// Any JSON value, by trying: what decoding by trial and error needs.
indirect enum AnyValue: Codable, Equatable {
    case null, bool(Bool), integer(Int), double(Double), string(String)
    case array([AnyValue]), object([String: AnyValue])

    init(from decoder: any Decoder) throws {
        let value = try decoder.singleValueContainer()
        if value.decodeNil() {
            self = .null
        } else if let bool = try? value.decode(Bool.self) {
            self = .bool(bool)
        } else if let integer = try? value.decode(Int.self) {
            self = .integer(integer)
        } else if let double = try? value.decode(Double.self) {
            self = .double(double)
        } else if let string = try? value.decode(String.self) {
            self = .string(string)
        } else if let array = try? value.decode([AnyValue].self) {
            self = .array(array)
        } else {
            self = .object(try value.decode([String: AnyValue].self))
        }
    }

    func encode(to encoder: any Encoder) throws {
        var value = encoder.singleValueContainer()
        switch self {
        case .null: try value.encodeNil()
        case .bool(let bool): try value.encode(bool)
        case .integer(let integer): try value.encode(integer)
        case .double(let double): try value.encode(double)
        case .string(let string): try value.encode(string)
        case .array(let array): try value.encode(array)
        case .object(let object): try value.encode(object)
        }
    }
}
