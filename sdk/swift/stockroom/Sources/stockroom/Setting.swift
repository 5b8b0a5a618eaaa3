// `field=value` words of the command line.
import Holdfast

enum Setting {
    /// Sets fields of a part.
    static func apply(_ words: [String], to part: inout Part, _ room: Room) throws {
        for word in words {
            guard let mark = word.firstIndex(of: "=") else {
                throw Usage(description: "\(word): give FIELD=VALUE")
            }
            let text = String(word[word.index(after: mark)...])
            let value = text.isEmpty ? nil : text
            switch word[..<mark] {
            case "title": part.title = text
            case "description": part.description = value
            case "datasheet": part.datasheet = value
            case "value": part.value = value
            case "tolerance": part.tolerance = value
            case "rating": part.rating = value
            case "stock":
                guard let stock = Int(text) else {
                    throw Usage(description: "\(text) is no count")
                }
                part.stock = stock
            case "footprint": part.footprint = value.flatMap(Name.init).map { Key($0) }
            case "bin": part.bin = try value.map { try bin($0, room) }
            default: throw Usage(description: "a part has no field \(word[..<mark]) to edit")
            }
        }
    }

    private static func bin(_ label: String, _ room: Room) throws -> Key<Bin> {
        guard let bin = try room.bins.find(Bin.byLabel, label) else {
            throw Usage(description: "there is no bin \(label)")
        }
        return bin.key
    }
}
