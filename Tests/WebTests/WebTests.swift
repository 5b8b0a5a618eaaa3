// Reads the viewer's own sources and holds them to their rules: no markup from data, nothing
// inline, nothing foreign, every part it names there. That it works is shown in a real browser by
// Tests/Web/viewer_test.py.

import Foundation
import Testing

/// The folder of the viewer, found from this file.
private let web = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("web", isDirectory: true)

/// One file of the viewer.
private struct Source: CustomStringConvertible, Sendable {
    /// Its path inside `web/`.
    let path: String
    /// Its text.
    let text: String

    var description: String { path }

    /// What the paths in the file are relative to.
    var folder: URL { web.appendingPathComponent(path).deletingLastPathComponent() }

    /// The file a path in this one names.
    func file(_ named: String) -> URL {
        let base = named.hasPrefix("/") ? web : folder
        return base.appendingPathComponent(named).standardizedFileURL
    }

    /// Every file of the viewer whose name ends so.
    static func all(_ suffixes: [String]) throws -> [Source] {
        let paths = try FileManager.default.subpathsOfDirectory(atPath: web.path).sorted()
        return try paths.filter { path in suffixes.contains { path.hasSuffix($0) } }.map { path in
            let file = web.appendingPathComponent(path)
            return Source(path: path, text: try String(contentsOf: file, encoding: .utf8))
        }
    }

    /// The parts of the text a pattern finds: its first group.
    func matches(_ pattern: String) throws -> [String] {
        let expression = try NSRegularExpression(pattern: pattern)
        let whole = NSRange(text.startIndex..., in: text)
        return expression.matches(in: text, range: whole).compactMap { match in
            Range(match.range(at: 1), in: text).map { String(text[$0]) }
        }
    }
}

@Suite("The viewer's sources")
struct ViewerSourceTests {
    @Test("Scripts never turn data into markup or code")
    func noMarkupFromData() throws {
        let banned =
            #"(innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function"#
            + #"|setHTMLUnsafe|createContextualFragment|DOMParser|srcdoc|javascript:)"#
        let scripts = try Source.all([".js"])
        #expect(!scripts.isEmpty)
        for script in scripts {
            #expect(try script.matches(banned) == [], "\(script)")
        }
    }

    @Test("Pages hold no inline script, style or handler, so that the policy can refuse them")
    func nothingInline() throws {
        for page in try Source.all([".html"]) {
            #expect(try page.matches(#"(<style\b)"#) == [], "\(page)")
            #expect(try page.matches(#"(\sstyle=)"#) == [], "\(page)")
            #expect(try page.matches(#"(\son[a-z]+=)"#) == [], "\(page)")
            #expect(try page.matches(#"(<script(?![^>]*\ssrc=))"#) == [], "\(page)")
        }
    }

    @Test("Nothing is loaded from elsewhere")
    func nothingForeign() throws {
        for source in try Source.all([".html", ".css", ".js"]) {
            let loads = #"(?:src=|href=|url\(|from |import\()["']?((?:https?:)?//[^"')\s]+)"#
            #expect(try source.matches(loads) == [], "\(source)")
        }
    }

    @Test("Every script, style and picture that is named is there")
    func nothingMissing() throws {
        for source in try Source.all([".html", ".js"]) {
            let pattern =
                source.path.hasSuffix(".js")
                ? #"(?:from|import) '(\.[^']+)'"# : ##"(?:src|href)="([^"#][^"]*)""##
            // What the API gives is no file.
            for named in try source.matches(pattern) where !named.hasPrefix("/v1/") {
                let file = source.file(named)
                #expect(FileManager.default.fileExists(atPath: file.path), "\(source): \(named)")
            }
        }
    }

    @Test("Every style is part of a page, and every component's of the viewer")
    func stylesAreLinked() throws {
        var linked: [String: Set<URL>] = [:]
        for page in try Source.all([".html"]) {
            let named = try page.matches(#"rel="stylesheet" href="([^"]+)""#)
            linked[page.path] = Set(named.map(page.file))
        }
        for style in try Source.all([".css"]) {
            let file = web.appendingPathComponent(style.path).standardizedFileURL
            #expect(linked.values.contains { $0.contains(file) }, "\(style)")
            guard style.path.hasPrefix("components/") else { continue }
            #expect(linked["index.html"]?.contains(file) == true, "\(style)")
        }
    }

    @Test("Lines keep to 100 columns and files to 400 lines")
    func sizes() throws {
        for source in try Source.all([".html", ".css", ".js"]) {
            let lines = source.text.split(separator: "\n", omittingEmptySubsequences: false)
            #expect(lines.count <= 400, "\(source)")
            for (index, line) in lines.enumerated() where line.count > 100 {
                Issue.record("\(source):\(index + 1) has \(line.count) columns")
            }
        }
    }
}
