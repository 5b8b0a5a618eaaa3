// A record with its metadata, written straight from the log's bytes.
public import HoldfastBasics
internal import HoldfastJSONCoding
public import HoldfastRecords

/// What an envelope says that does not stand in the record's effect.
public struct RecordFacts: Hashable, Sendable {
    /// Tree of the record.
    public var tree: TreeName
    /// Position of its last change.
    public var version: Position
    /// Who holds it; nil when nobody does.
    public var borrow: BorrowFacts?

    /// Gathers the facts.
    public init(tree: TreeName, version: Position, borrow: BorrowFacts? = nil) {
        self.tree = tree
        self.version = version
        self.borrow = borrow
    }
}

/// Writes records with their metadata.
public enum Envelope {
    /// Appends a record.
    ///
    /// Shape: `{"tree","key","state","version","schema"?,"created","modified","borrow"?,"value"}`.
    ///
    /// - Parameters:
    ///   - effect: The record's last effect, which sets it.
    ///   - commit: The commit of the effect.
    ///   - facts: What stands elsewhere.
    ///   - buffer: Gets the object.
    ///   - appendValue: Appends what is shown of the value; nil shows it whole.
    public static func append(
        _ effect: EffectView,
        of commit: CommitView,
        _ facts: RecordFacts,
        to buffer: inout ByteBuffer,
        value appendValue: ((ByteView, inout ByteBuffer) -> Void)? = nil
    ) {
        appendHead(effect, facts, to: &buffer)
        buffer.append(",\"state\":")
        effect.state.appendJSON(to: &buffer)
        buffer.append(",\"version\":")
        buffer.appendQuoted(facts.version)
        buffer.appendSchemaMember(effect.schema)
        buffer.appendStamps(of: effect, commit)
        if let borrow = facts.borrow {
            buffer.append(",\"borrow\":")
            borrow.append(to: &buffer)
        }
        buffer.append(",\"value\":")
        if let appendValue {
            appendValue(effect.value, &buffer)
        } else {
            buffer.append(effect.value)
        }
        buffer.append("}")
    }

    /// Appends that a record was removed.
    ///
    /// Shape: `{"tree","key","removed":true,"version","modified"}`.
    ///
    /// - Parameters:
    ///   - effect: The record's last effect, which removes it.
    ///   - commit: The commit of the effect.
    ///   - facts: What stands elsewhere.
    ///   - buffer: Gets the object.
    public static func appendRemoval(
        _ effect: EffectView,
        of commit: CommitView,
        _ facts: RecordFacts,
        to buffer: inout ByteBuffer
    ) {
        appendHead(effect, facts, to: &buffer)
        buffer.append(",\"removed\":true,\"version\":")
        buffer.appendQuoted(facts.version)
        buffer.append(",\"modified\":")
        buffer.appendStamp(commit.at, commit.user, commit.device)
        buffer.append("}")
    }

    /// Begins an object: which record.
    private static func appendHead(
        _ effect: EffectView,
        _ facts: RecordFacts,
        to buffer: inout ByteBuffer
    ) {
        buffer.append("{\"tree\":")
        buffer.appendJSONString(facts.tree.description)
        buffer.append(",\"key\":")
        buffer.appendKey(of: effect)
    }
}

extension ByteBuffer {
    /// Appends `,"created":{...},"modified":{...}`.
    mutating func appendStamps(of effect: EffectView, _ commit: CommitView) {
        append(",\"created\":")
        appendStamp(effect.createdAt, effect.createdUser, effect.createdDevice)
        append(",\"modified\":")
        appendStamp(commit.at, commit.user, commit.device)
    }
}
