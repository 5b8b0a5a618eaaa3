// The record the client's measures work with: some 200 bytes as JSON.
internal import HoldfastEmbedded

/// A part of a stockroom.
struct Part: Record {
    var number: String
    var title: String
    var package: String
    var supplier: String
    var stock: Int
    var minimum: Int
    var tags: [String]

    static func define(_ tree: inout TreeDefinition<Part>) {
        tree.name = "parts"
        tree.borrow = .optional
    }

    /// Part number `index`; its stock is `index`.
    init(_ index: Int) {
        number = "R-\(100_000 + index)"
        title = "resistor \(index % 1000) ohm, one percent, thick film"
        package = "R_0603_1608Metric"
        supplier = "supplier \(index % 97) and company"
        stock = index
        minimum = index % 10
        tags = ["passive", "smd"]
    }
}
