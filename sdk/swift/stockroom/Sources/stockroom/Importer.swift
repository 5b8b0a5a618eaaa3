// Brings libraries into the mirror, a few hundred parts a change; what is there stays as it is.
import Holdfast

/// Imports libraries one after the other.
struct Importer {
    private let database: Database
    private var footprints: Set<Name> = []
    private var accepted: [@Sendable () async throws -> Void] = []
    private(set) var partCount = 0
    private(set) var footprintCount = 0

    private static let batchCount = 200

    init(_ database: Database) { self.database = database }

    mutating func add(_ library: SymbolLibrary) async throws {
        var library = library
        let parts = try library.parts()
        for start in stride(from: 0, to: parts.count, by: Self.batchCount) {
            let batch = Array(parts[start..<min(start + Self.batchCount, parts.count)])
            let names = batch.compactMap { $0.footprint?.id }
                .filter { footprints.insert($0).inserted }
            let made = try await database.write(why: "import of \(library.name)") { tx in
                var count = (parts: 0, footprints: 0)
                for name in names where try tx.record(Key<Footprint>(name)) == nil {
                    try tx.create(Footprint(named: name), at: Key(name))
                    count.footprints += 1
                }
                for part in batch where try tx.find(Part.byNumber, part.number) == nil {
                    _ = try tx.create(part)
                    count.parts += 1
                }
                return count
            }
            accepted.append { _ = try await made.accepted() }
            partCount += made.value.parts
            footprintCount += made.value.footprints
        }
    }

    /// Waits until the server has accepted all of it.
    func finish() async throws {
        for wait in accepted { try await wait() }
    }
}

extension Footprint {
    /// `library:footprint`.
    fileprivate init(named name: Name) {
        let words = name.rawValue.split(separator: ":", maxSplits: 1).map(String.init)
        self.init(title: words.last ?? name.rawValue, library: words.count > 1 ? words[0] : nil)
    }
}
