// The sources as text: layers, sizes, and what may not stand where.
import Foundation
import Testing

enum Repository {
    static let root = URL(filePath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()

    /// Swift files below a folder, with their path from the root and their text.
    static func swiftFiles(below folder: String) throws -> [(path: String, text: String)] {
        let base = root.appending(path: folder)
        guard let walker = FileManager.default.enumerator(at: base, includingPropertiesForKeys: nil)
        else { return [] }
        return try walker.compactMap { $0 as? URL }
            .filter { $0.pathExtension == "swift" }
            .map { file in
                let path = String(file.path.dropFirst(root.path.count + 1))
                return (path, try String(contentsOf: file, encoding: .utf8))
            }
            .sorted { $0.path < $1.path }
    }

    /// The `layers` table of Package.swift: folder -> folders it may import.
    static func layers() throws -> [String: Set<String>] {
        let text = try String(contentsOf: root.appending(path: "Package.swift"), encoding: .utf8)
        let start = try #require(text.range(of: "let layers"))
        let end = try #require(text.range(of: "\n]\n", range: start.upperBound..<text.endIndex))
        var table: [String: Set<String>] = [:]
        let body = text[start.upperBound..<end.lowerBound]
        for row in body.matches(of: /\(\s*"(\w+)",\s*\[([^\]]*)\]/) {
            table[String(row.1)] = Set(row.2.matches(of: /"(\w+)"/).map { String($0.1) })
        }
        return table
    }

    static func module(_ folder: String) -> String {
        if folder == "Mirror" { return "Holdfast" }
        return ["CLibevent", "COpenSSL", "CChecksum"].contains(folder)
            ? "CHoldfast" + folder.dropFirst() : "Holdfast" + folder
    }
}

@Suite struct LayerTests {
    @Test("Every import stands in the table of layers, and layers import lower ones only")
    func imports() throws {
        let layers = try Repository.layers()
        #expect(layers.count > 10)
        let system: Set = ["FoundationEssentials", "Dispatch", "Synchronization", "Glibc"]
        for (folder, mayImport) in layers {
            let allowed = Set(mayImport.map(Repository.module)).union(system)
            for file in try Repository.swiftFiles(below: "Sources/" + folder) {
                for match in file.text.matches(of: /(?m)^(?:\w+ )*import (?:\w+ )?(\w+)/) {
                    #expect(allowed.contains(String(match.1)), "\(file.path) imports \(match.1)")
                }
            }
        }
    }

    @Test("Foundation stays out of everything the server links")
    func noFoundation() throws {
        for file in try Repository.swiftFiles(below: "Sources")
        where !file.path.hasPrefix("Sources/holdfast-bench/") {
            #expect(!file.text.contains(/(?m)^(?:\w+ )*import Foundation$/), "\(file.path)")
        }
    }

    @Test("A refusal of the model is made in the engine alone")
    func refusals() throws {
        // Requests are refused where they are read; these rules are not the model's.
        let requests: Set = ["Sources/Engine/", "Sources/Wire/", "Sources/Records/Refusal.swift"]
        for file in try Repository.swiftFiles(below: "Sources/Server") {
            #expect(!file.text.contains("Refused("), "\(file.path)")
        }
        for file in try Repository.swiftFiles(below: "Sources")
        where !requests.contains(where: { file.path.hasPrefix($0) }) {
            for code in ["borrowed", "stale", "released", "unique", "outsideRange", "idTaken"] {
                #expect(!file.text.contains("Refusal(.\(code)"), "\(file.path) decides \(code)")
            }
        }
    }

    @Test("The only lock is Basics.Lock")
    func locks() throws {
        for file in try Repository.swiftFiles(below: "Sources")
        where !file.path.hasPrefix("Sources/Basics/") {
            #expect(!file.text.contains("Mutex("), "\(file.path)")
            #expect(!file.text.contains("pthread_mutex"), "\(file.path)")
            #expect(!file.text.contains("DispatchQueue"), "\(file.path)")
        }
    }

    @Test("Nothing forces, swallows or leaves for later")
    func noForce() throws {
        for file in try Repository.swiftFiles(below: "Sources") {
            #expect(!file.text.contains("try!"), "\(file.path)")
            #expect(!file.text.contains("fatalError("), "\(file.path)")
            #expect(!file.text.contains(/\b(TODO|FIXME|XXX)\b/), "\(file.path)")
        }
    }

    @Test("Unsafe concurrency and raw memory stand only where the style allows them")
    func unsafe() throws {
        let allowed = ["Basics", "JSONCoding", "CommitLog", "Storage", "Networking"]
        let indexes = ["NameIndex", "NumberIndex"]
        for file in try Repository.swiftFiles(below: "Sources") {
            let folder = file.path.split(separator: "/")[1]
            let name = file.path.split(separator: "/").last?.split(separator: ".")[0] ?? ""
            guard !allowed.contains(String(folder)), !indexes.contains(where: name.hasPrefix) else {
                continue
            }
            #expect(!file.text.contains("@unchecked Sendable"), "\(file.path)")
            #expect(!file.text.contains("nonisolated(unsafe)"), "\(file.path)")
        }
    }

    @Test("Files stay small: none above 600 lines, nine of ten at most 350, lines to 100 columns")
    func sizes() throws {
        let files = try Repository.swiftFiles(below: "Sources")
        let counts = files.map {
            ($0.path, $0.text.split(separator: "\n", omittingEmptySubsequences: false).count)
        }
        for (path, count) in counts { #expect(count <= 600, "\(path) has \(count) lines") }
        let sorted = counts.map(\.1).sorted()
        #expect(sorted[sorted.count * 9 / 10] <= 350)
        for file in files {
            for line in file.text.split(separator: "\n")
            where line.count > 100
                && line.drop(while: { $0 == " " }).hasPrefix("//")
            {
                Issue.record("\(file.path): \(line)")
            }
        }
    }
}
