// The codes of the source and of openapi.yaml are one table.
import Foundation
import HoldfastRecords
import Testing

/// Reads the tables of openapi.yaml that stand alone on their lines.
private enum Contract {
    static let text: String = {
        let root = URL(fileURLWithPath: #filePath)
            .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        let file = root.appendingPathComponent("openapi/openapi.yaml")
        return (try? String(contentsOf: file, encoding: .utf8)) ?? ""
    }()

    /// The `name: value` lines below a member of the root.
    static func table(_ name: String) -> [String: String] {
        var found: [String: String] = [:]
        var isInside = false
        for line in text.split(separator: "\n") {
            if !line.hasPrefix(" "), !line.hasPrefix("#") { isInside = line == "\(name):" }
            guard isInside, line.hasPrefix("  "), let colon = line.firstIndex(of: ":") else {
                continue
            }
            let key = line[..<colon].trimmingCharacters(in: .whitespaces)
            found[key] = line[line.index(after: colon)...].trimmingCharacters(in: .whitespaces)
        }
        return found
    }
}

@Suite struct CodeTableTests {
    @Test("openapi.yaml gives every code of the source a status, and no others")
    func codes() {
        let documented = Set(Contract.table("x-code-status").keys)
        let known = Set(RefusalCode.allCases.map(\.rawValue))
        #expect(documented.subtracting(known).sorted() == [], "in the document alone")
        #expect(known.subtracting(documented).sorted() == [], "in the source alone")
    }

    @Test("every status in the table is one of a refusal")
    func statuses() {
        for (code, status) in Contract.table("x-code-status") {
            #expect((400...599).contains(Int(status) ?? 0), "\(code): \(status)")
        }
    }
}
