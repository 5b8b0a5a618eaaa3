// What the fuzzers run: each target takes any bytes, and says what a decoder did wrong with them.
//
// A decoder may refuse bytes with its own error, or take them; what it takes must keep the target's
// promises. A trap, an overrun or a `Violation` is a finding. The files of this folder are built
// twice: into FuzzTests, which replays the corpus, and, where HOLDFAST_FUZZ is set for Package.swift,
// into the program `holdfast-fuzz`, which libFuzzer drives (`make fuzz`).
import HoldfastBasics

/// One decoder under test.
enum FuzzTarget: String, CaseIterable {
    /// A frame, and the commit in it.
    case frame
    /// A directory whose log is one segment: checked, salvaged, opened, written, opened again.
    case segment
    /// A checkpoint of one part.
    case part
    /// A manifest.
    case manifest
    /// JSON: checked, normalised, printed, decoded, patched.
    case json
    /// HTTP, both directions.
    case http
    /// WebSocket frames, both directions.
    case webSocket
    /// Bodies and messages: changes, trees, mirrors, feeds, snapshots.
    case wire
    /// A checkpoint of a view.
    case view

    /// Runs the target.
    ///
    /// - Throws: `Violation` when a promise is broken.
    func run(_ input: [UInt8]) throws {
        switch self {
        case .frame: try LogTargets.frame(input)
        case .segment: try LogTargets.segment(input)
        case .part: try LogTargets.part(input)
        case .manifest: try LogTargets.manifest(input)
        case .json: try TextTargets.json(input)
        case .http: try TextTargets.http(input)
        case .webSocket: try TextTargets.webSocket(input)
        case .wire: try WireTargets.wire(input)
        case .view: try ViewTargets.checkpoint(input)
        }
    }

    /// Whether the first byte of an input says what is mended in the rest of it before it is read:
    /// otherwise no mutation would get past the checksums.
    var hasMode: Bool {
        switch self {
        case .frame, .segment, .part, .manifest, .view: true
        case .json, .http, .webSocket, .wire: false
        }
    }
}

/// A promise that a decoder broke.
struct Violation: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}

/// Demands a promise.
func demand(_ isKept: Bool, _ promise: @autoclosure () -> String) throws(Violation) {
    guard isKept else { throw Violation(promise()) }
}

/// What `body` gives; nil when it refuses the bytes with its own error.
func taken<T, E: Error>(_: E.Type, _ body: () throws -> T) throws -> T? {
    do {
        return try body()
    } catch is E {
        return nil
    }
}
