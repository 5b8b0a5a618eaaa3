// What applications see: the public declarations of the products, compared with the list in
// Tests/Fixtures/api.txt, so that nothing becomes or stops being public unnoticed.
import Foundation
import Testing

@Suite struct PublicSurfaceTests {
    /// The modules of the library products; a new one is added here, and nowhere else.
    private static let modules = ["HoldfastEmbedded", "Holdfast"]

    private static let list = Repository.root.appending(path: "Tests/Fixtures/api.txt")
    private static let accepting = "HOLDFAST_ACCEPT_API"

    @Test("The public surface of the products is the one in Tests/Fixtures/api.txt")
    func surface() throws {
        var lines: [String] = []
        for module in Self.modules {
            lines += try ["# \(module)"] + PublicSurface(of: module).lines
        }
        try #require(lines.count > 100, "the extractor has seen the products")
        if ProcessInfo.processInfo.environment[Self.accepting] != nil {
            let text = lines.joined(separator: "\n") + "\n"
            try text.write(to: Self.list, atomically: true, encoding: .utf8)
        }
        let text = try String(contentsOf: Self.list, encoding: .utf8)
        let known = text.split(separator: "\n").map(String.init)
        let changes = lines.difference(from: known).map { change in
            switch change {
            case .insert(_, let line, _): "+ " + line
            case .remove(_, let line, _): "- " + line
            }
        }
        #expect(
            changes.isEmpty,
            """
            The public surface has changed:
            \(changes.joined(separator: "\n"))
            When that is meant, write it down in CHANGELOG.md and accept it with
                \(Self.accepting)=1 swift test --filter PublicSurfaceTests
            """
        )
    }

    @Test("Every library that Package.swift offers is among them")
    func products() throws {
        let manifest = Repository.root.appending(path: "Package.swift")
        let text = try String(contentsOf: manifest, encoding: .utf8)
        let targets = text.matches(of: /\.library\(\s*name: "\w+",\s*targets: \[([^\]]*)\]/)
            .flatMap { $0.1.matches(of: /"(\w+)"/).map { String($0.1) } }
        #expect(targets.sorted() == Self.modules.sorted())
    }
}

/// The public declarations of a module, as the compiler tells them.
private struct PublicSurface {
    /// `PATH: DECLARATION` and `PATH conforms to PROTOCOL`, sorted.
    let lines: [String]

    /// What the compiler adds by itself.
    private static let implied: Set = [
        "Swift.Copyable", "Swift.Escapable", "Swift.SendableMetatype",
    ]

    private struct Graph: Decodable {
        struct Symbol: Decodable {
            struct Identifier: Decodable { let precise: String }
            struct Fragment: Decodable { let spelling: String }
            let identifier: Identifier
            let pathComponents: [String]
            let declarationFragments: [Fragment]
        }
        struct Relationship: Decodable {
            let kind: String
            let source: String
            let target: String
            let targetFallback: String?
        }
        let symbols: [Symbol]
        let relationships: [Relationship]
    }

    init(of module: String) throws {
        let folder = FileManager.default.temporaryDirectory
            .appending(path: "holdfast-surface-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        try Self.extract(module, into: folder)
        var lines: Set<String> = []
        // One file for the module's own types, and one for each module whose types it extends.
        for file in try FileManager.default.contentsOfDirectory(
            at: folder,
            includingPropertiesForKeys: nil
        ) {
            let graph = try JSONDecoder().decode(Graph.self, from: Data(contentsOf: file))
            lines.formUnion(Self.lines(graph))
        }
        self.lines = lines.sorted { Array($0.utf8).lexicographicallyPrecedes(Array($1.utf8)) }
    }

    private static func lines(_ graph: Graph) -> [String] {
        var names: [String: String] = [:]
        for symbol in graph.symbols {
            names[symbol.identifier.precise] = symbol.pathComponents.joined(separator: ".")
        }
        let declarations = graph.symbols.map { symbol in
            let words = symbol.declarationFragments.map(\.spelling).joined()
            let text = words.split(whereSeparator: \.isWhitespace).joined(separator: " ")
            return (names[symbol.identifier.precise] ?? "") + ": " + text
        }
        let conformances = graph.relationships.compactMap { relation -> String? in
            guard relation.kind == "conformsTo", let source = names[relation.source],
                let target = names[relation.target] ?? relation.targetFallback,
                !implied.contains(target)
            else { return nil }
            return source + " conforms to " + target
        }
        return declarations + conformances
    }

    /// Runs the compiler's extractor on the module as it was built beside this test.
    private static func extract(_ module: String, into folder: URL) throws {
        let products = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath()
            .deletingLastPathComponent()
        let triple = products.deletingLastPathComponent().lastPathComponent
        var arguments = [
            "swift", "symbolgraph-extract", "-module-name", module, "-target", triple,
            "-I", products.appending(path: "Modules").path, "-output-dir", folder.path,
            "-minimum-access-level", "public", "-skip-synthesized-members",
        ]
        for map in try moduleMaps(products) { arguments += ["-Xcc", "-fmodule-map-file=" + map] }
        let process = Process()
        let output = Pipe()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = arguments
        process.standardOutput = output
        process.standardError = output
        try process.run()
        let text = try output.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        try #require(
            process.terminationStatus == 0,
            "swift symbolgraph-extract \(module): \(String(decoding: text, as: UTF8.self))"
        )
    }

    /// The maps of our C modules: those the build has written, and those of system libraries.
    private static func moduleMaps(_ products: URL) throws -> [String] {
        try [products, Repository.root.appending(path: "Sources")].flatMap { base in
            try FileManager.default.contentsOfDirectory(at: base, includingPropertiesForKeys: nil)
                .map { $0.appending(path: "module.modulemap").path }
                .filter { FileManager.default.fileExists(atPath: $0) }
        }.sorted()
    }
}
