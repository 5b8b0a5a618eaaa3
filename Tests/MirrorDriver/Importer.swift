// Brings the changes of an NDJSON file (Tests/Tools/kicad_to_ndjson.py) into the mirror, typed, a
// line a change.
import Foundation
import Holdfast

/// How many records an import made.
struct Imported: Encodable {
    var parts = 0
    var footprints = 0
    var changes = 0

    /// A line of the file: puts of footprints, by name, and of parts.
    fileprivate struct Line: Decodable {
        struct Operation: Decodable { var put: Put }
        struct Put: Decodable {
            var key: NameKey?
            var value: Value
        }
        struct NameKey: Decodable { var name: String }
        /// A footprint has a key, a part has none.
        enum Value { case part(Part), footprint(Footprint) }
        var operations: [Operation]
    }

    /// Writes everything; gives what waits for the server's word.
    static func run(
        _ path: String,
        _ database: Database
    ) async throws -> (Imported, [Receipt<Void>]) {
        var imported = Imported()
        var receipts: [Receipt<Void>] = []
        let file = try Data(contentsOf: URL(filePath: path))
        for line in file.split(separator: UInt8(ascii: "\n")) {
            let change = try JSONDocument(String(decoding: line, as: UTF8.self)).decode(Line.self)
            receipts.append(
                try await database.write(why: "import") { tx in
                    for operation in change.operations {
                        switch operation.put.value {
                        case .part(let part):
                            _ = try tx.create(part)
                            imported.parts += 1
                        case .footprint(let footprint):
                            guard let name = operation.put.key.flatMap({ Name($0.name) }) else {
                                throw Mistake(description: "a footprint without a name")
                            }
                            try tx.create(footprint, at: Key(name))
                            imported.footprints += 1
                        }
                    }
                }
            )
            imported.changes += 1
        }
        return (imported, receipts)
    }
}

extension Imported.Line.Put {
    private enum CodingKeys: String, CodingKey { case key, value }

    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        key = try container.decodeIfPresent(Imported.Line.NameKey.self, forKey: .key)
        value =
            key == nil
            ? .part(try container.decode(Part.self, forKey: .value))
            : .footprint(try container.decode(Footprint.self, forKey: .value))
    }
}
