// The file of `--config`: one JSON object whose members are the flags' names in camelCase. A member
// that is no flag is refused, so that a misspelt limit is not silently the default.
internal import HoldfastBasics
internal import HoldfastJSONCoding

/// What a configuration file says, as the texts flags would have.
struct ConfigurationFile: Decodable {
    /// By member name; several texts for a list, none for a toggle that is off.
    let values: [String: [String]]

    static let byteCountMax = 1 << 20

    /// Reads a file.
    init(path: String) throws(CommandFailure) {
        let bytes = try InputFile.contents(path, byteCountMax: Self.byteCountMax)
        do {
            let document = try bytes.withView { try JSONNormalizer.normalized($0) }
            self = try RecordDecoder().decode(ConfigurationFile.self, from: document)
        } catch let error as JSONError {
            throw CommandFailure(.configuration, "\(path) is not JSON: \(error)")
        } catch let error as DecodingError {
            throw CommandFailure(.configuration, "\(path): \(Self.explain(error))")
        } catch {
            throw CommandFailure(.configuration, "\(path): \(error)")
        }
    }

    /// Decodes the object by the table of flags.
    init(from decoder: any Decoder) throws {
        let members = try decoder.container(keyedBy: Member.self)
        var values: [String: [String]] = [:]
        for member in members.allKeys {
            let flag = ServeFlags.all.first { $0.memberName == member.stringValue }
            guard let flag, flag.name != "config" else {
                throw DecodingError.dataCorruptedError(
                    forKey: member,
                    in: members,
                    debugDescription: "no such setting; `holdfast serve --help` lists them"
                )
            }
            values[member.stringValue] =
                switch flag.kind {
                case .list:
                    // One need not stand in brackets.
                    if let text = try? members.decode(String.self, forKey: member) {
                        [text]
                    } else {
                        try members.decode([String].self, forKey: member)
                    }
                case .number: [Self.text(try members.decode(Double.self, forKey: member))]
                case .text: [try members.decode(String.self, forKey: member)]
                case .toggle: try members.decode(Bool.self, forKey: member) ? [""] : []
                }
        }
        self.values = values
    }

    /// A whole number without a fraction, as flags have it.
    private static func text(_ number: Double) -> String {
        Int64(exactly: number).map { String($0) } ?? String(number)
    }

    private static func explain(_ error: DecodingError) -> String {
        let context: DecodingError.Context
        var path: [any CodingKey] = []
        switch error {
        case .typeMismatch(_, let found), .valueNotFound(_, let found), .dataCorrupted(let found):
            context = found
        case .keyNotFound(let key, let found):
            context = found
            path = [key]
        @unknown default:
            return "\(error)"
        }
        let names = (context.codingPath + path).map(\.stringValue).joined(separator: ".")
        return names.isEmpty ? context.debugDescription : "\(names): \(context.debugDescription)"
    }

    /// The name of any member.
    private struct Member: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }
        init?(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }
}
