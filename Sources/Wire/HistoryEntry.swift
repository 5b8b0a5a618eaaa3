// One version of a record, and the commit that made it: an element of its history.
public import HoldfastBasics
internal import HoldfastJSONCoding
public import HoldfastRecords

/// Writes versions of a record.
public enum HistoryEntry {
    /// Appends a version.
    ///
    /// Shape: `{"version","id","at","by","device","app"?,"why"?,"job"?,"key","label","state",
    /// "schema"?,"value"}`; a removal has `"removed":true` instead of the last three. `id` is the
    /// change's. Commits before the kept log have lost `app` and `why`.
    ///
    /// - Parameters:
    ///   - effect: What the commit did to the record.
    ///   - commit: The commit.
    ///   - version: Its position.
    ///   - buffer: Gets the object.
    /// - Throws: `ContentError` when the commit is damaged.
    public static func append(
        _ effect: EffectView,
        of commit: CommitView,
        _ version: Position,
        to buffer: inout ByteBuffer
    ) throws(ContentError) {
        buffer.append("{\"version\":")
        buffer.appendQuoted(version)
        try buffer.appendOrigin(of: commit)
        buffer.append(",\"key\":")
        buffer.appendKey(of: effect)
        buffer.append(",\"label\":\"")
        buffer.append(effect.label.word)
        buffer.append("\"")
        if effect.isSet {
            buffer.append(",\"state\":")
            effect.state.appendJSON(to: &buffer)
            buffer.appendSchemaMember(effect.schema)
            buffer.append(",\"value\":")
            buffer.append(effect.value)
        } else {
            buffer.append(",\"removed\":true")
        }
        buffer.append("}")
    }
}
