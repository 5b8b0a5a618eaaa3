// Parts out of KiCad's symbols. A part's number is `library:symbol`, since symbol names occur in
// more than one library; a symbol that extends another takes over what it leaves unsaid.
import Foundation
import Holdfast

/// The parts of one library file.
struct SymbolLibrary {
    let name: String
    private let symbols: [String: Expression]
    private let order: [String]
    private var made: [String: Part] = [:]

    init(_ url: URL) throws {
        name = url.deletingPathExtension().lastPathComponent
        var reader = try SymbolReader(url)
        let list = try reader.library().lists("symbol")
        order = list.compactMap { $0.word(1) }
        symbols = Dictionary(zip(order, list)) { first, _ in first }
    }

    /// All of them, in the order of the file.
    mutating func parts() throws -> [Part] { try order.map { try part($0) } }

    private mutating func part(_ name: String) throws -> Part {
        if let part = made[name] { return part }
        guard let symbol = symbols[name] else {
            throw SymbolProblem(file: self.name, what: "symbol \(name) is not here")
        }
        var properties = Self.properties(symbol)
        var pins = Self.pins(symbol)
        let base = symbol.lists("extends").first?.word(1)
        if let base {
            let inherited = try part(base).pins
            if pins.isEmpty { pins = inherited }
            if let inherited = symbols[base].map(Self.properties) {
                properties = inherited.merging(properties) { $1 }
            }
        }
        var part = Part(number: "\(self.name):\(name)", title: properties["Value"] ?? name)
        part.description = properties["ki_description"]
        part.keywords =
            properties["ki_keywords"]?.split(whereSeparator: \.isWhitespace).map(String.init) ?? []
        part.datasheet = properties["Datasheet"]
        part.footprint = properties["Footprint"].flatMap(Name.init).map { Key($0) }
        part.library = self.name
        part.extends = base.map { "\(self.name):\($0)" }
        part.pins = pins
        made[name] = part
        return part
    }

    /// Empty properties and KiCad's `~` for nothing are left out.
    private static func properties(_ symbol: Expression) -> [String: String] {
        var found: [String: String] = [:]
        for property in symbol.lists("property") {
            guard let name = property.word(1),
                let text = property.word(2)?.trimmingCharacters(in: .whitespacesAndNewlines),
                !text.isEmpty, text != "~"
            else { continue }
            found[name] = text
        }
        return found
    }

    /// In file order, without those of the alternative drawing, a body named `NAME_UNIT_2`.
    private static func pins(_ symbol: Expression) -> [Pin] {
        let bodies = symbol.lists("symbol").filter { $0.word(1)?.hasSuffix("_2") != true }
        return bodies.flatMap { $0.lists("pin") }.compactMap { pin in
            guard let number = pin.lists("number").first?.word(1),
                let name = pin.lists("name").first?.word(1), let type = pin.word(1)
            else { return nil }
            return Pin(number: number, name: name, type: type)
        }
    }
}
