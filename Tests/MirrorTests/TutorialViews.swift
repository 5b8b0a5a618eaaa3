// The views of the README's tutorial as they stand there.
import Holdfast

// README: views
struct Stock: Record {
    var part: String
    var title: String
    var place: String
    var count: Int

    static let byPart = UniqueIndex<Stock, String>("part", \.part)
    static let byTitle = MultiIndex<Stock, String>("title", \.title)
    static let byCount = MultiIndex<Stock, Int>("count", \.count)
    static let perPlace = Counts<Stock, String>("place", \.place)

    static func define(_ tree: inout TreeDefinition<Stock>) {
        tree.name = "stock"
        tree.unique(byPart)
        tree.index(byTitle)
        tree.index(byCount)
        tree.count(perPlace)
        tree.text("part", "title")
        tree.view(Pieces())
    }
}

/// How many pieces lie at each place.
struct Pieces: DerivedView {
    struct Item: Codable, Sendable { let place: String, count: Int }

    let name = "pieces"
    let version = 1
    let empty: [String: Int] = [:]

    func item(of stock: Entry<Stock>) -> Item? { Item(place: stock.place, count: stock.count) }

    func add(_ item: Item, of key: Key<Stock>, to pieces: inout [String: Int]) {
        pieces[item.place, default: 0] += item.count
    }

    func remove(_ item: Item, of key: Key<Stock>, from pieces: inout [String: Int]) {
        pieces[item.place, default: 0] -= item.count
    }
}
// README: end
