// What embedded databases and mirrors refuse alike.
public import HoldfastEmbedded
public import Testing

/// Runs `body`, which the database must refuse with `code`.
public func expectRefusal(
    _ code: HoldfastEmbedded.Refusal.Code,
    _ location: SourceLocation = #_sourceLocation,
    _ body: () async throws -> Void
) async {
    let error = await #expect(throws: DatabaseError.self, sourceLocation: location) {
        try await body()
    }
    guard case .refused(let refusal) = error else {
        Issue.record("\(String(describing: error))", sourceLocation: location)
        return
    }
    #expect(refusal.code == code, sourceLocation: location)
}
