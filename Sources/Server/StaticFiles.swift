// The viewer's files, read once at the start: a request never touches the disk and never leaves the
// folder, as only names found there are known.
internal import FoundationEssentials
internal import HoldfastBasics

/// Why the viewer's folder cannot be served.
public enum StaticFilesError: Error {
    /// The folder cannot be listed, or a file in it cannot be read.
    case unreadable(path: String)
    /// A file is larger than a viewer's file should be.
    case tooLarge(path: String, byteCountMax: Int)
}

/// Files by the path they are asked for.
struct StaticFiles: Sendable {
    struct File: Sendable {
        let content: [UInt8]
        let type: String
        let tag: String
    }

    static let byteCountMax = 4 << 20

    private let files: [[String]: File]

    /// No files.
    init() { files = [:] }

    /// Reads every file below a folder; names that begin with a dot are left out.
    init(folder: String) throws(StaticFilesError) {
        var files: [[String]: File] = [:]
        let manager = FileManager.default
        guard let paths = try? manager.subpathsOfDirectory(atPath: folder) else {
            throw .unreadable(path: folder)
        }
        for path in paths {
            let parts = path.split(separator: "/").map(String.init)
            guard !parts.contains(where: { $0.hasPrefix(".") }), parts.first != "tests" else {
                continue
            }
            let whole = folder + "/" + path
            var isFolder = false
            guard manager.fileExists(atPath: whole, isDirectory: &isFolder), !isFolder else {
                continue
            }
            guard let data = manager.contents(atPath: whole) else {
                throw .unreadable(path: whole)
            }
            guard data.count <= Self.byteCountMax else {
                throw .tooLarge(path: whole, byteCountMax: Self.byteCountMax)
            }
            let content = Array(data)
            files[parts] = File(
                content: content,
                type: Self.type(of: path),
                tag: "\"" + content.withView { SHA256.digest($0).truncated.description } + "\""
            )
        }
        self.files = files
    }

    /// The file of a path; `index.html` for a folder's.
    func file(_ segments: [[UInt8]]) -> File? {
        let names = segments.map { String(decoding: $0, as: UTF8.self) }
        return files[names] ?? files[names + ["index.html"]]
    }

    var isEmpty: Bool { files.isEmpty }

    private static func type(of path: String) -> String {
        switch path.split(separator: ".").last ?? "" {
        case "html": "text/html; charset=utf-8"
        case "js": "text/javascript; charset=utf-8"
        case "css": "text/css; charset=utf-8"
        case "json": "application/json"
        case "svg": "image/svg+xml"
        case "png": "image/png"
        case "ico": "image/x-icon"
        case "txt", "md": "text/plain; charset=utf-8"
        default: "application/octet-stream"
        }
    }
}
