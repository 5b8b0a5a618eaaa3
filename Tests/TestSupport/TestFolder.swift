// Folders that tests write into.
internal import Foundation

/// Runs `body` with the path of a folder that is not there yet, and is gone afterwards.
///
/// - Throws: What `body` throws.
public func withFolder(_ body: (String) throws -> Void) throws {
    let folder = NSTemporaryDirectory() + "holdfast-test-\(UUID().uuidString)"
    defer { try? FileManager.default.removeItem(atPath: folder) }
    try body(folder)
}
