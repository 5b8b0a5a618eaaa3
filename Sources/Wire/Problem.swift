// A refusal as the body of a reply: `application/problem+json`. Source: RFC 9457.
public import HoldfastBasics
internal import HoldfastJSONCoding
public import HoldfastRecords

/// A refusal on its way to the caller.
public struct Problem: Sendable {
    /// What is refused and why.
    public let refusal: Refusal

    /// Wraps a refusal.
    public init(_ refusal: Refusal) { self.refusal = refusal }

    /// The HTTP status of its code.
    public var status: Int { refusal.code.problem.status }

    /// The code in words.
    public var title: String { refusal.code.problem.title }

    /// Appends the problem.
    ///
    /// Shape: `{"type","title","status","code","detail","operation"?,"field"?}` and the facts of
    /// its code; a fact that the table does not give the code is left out.
    ///
    /// - Parameters:
    ///   - buffer: Gets the object.
    ///   - status: The status of the reply where it is not the code's own.
    ///   - current: The envelope of the record as it stands.
    ///   - oldest: The lowest `since` the log answers.
    public func append(
        to buffer: inout ByteBuffer,
        status: Int? = nil,
        current: ByteView? = nil,
        oldest: Position? = nil
    ) {
        let kind = refusal.code.problem
        buffer.append("{\"type\":\"https://holdfast.example/problems/")
        buffer.append(text: refusal.code.rawValue)
        buffer.append("\",\"title\":")
        buffer.appendJSONString(kind.title)
        buffer.append(",\"status\":")
        buffer.append(decimal: status ?? kind.status)
        buffer.append(",\"code\":")
        buffer.appendJSONString(refusal.code.rawValue)
        buffer.append(",\"detail\":")
        buffer.appendJSONString(refusal.detail)
        if let operation = refusal.operation {
            buffer.append(",\"operation\":")
            buffer.append(decimal: operation)
        }
        if let field = refusal.field {
            buffer.append(",\"field\":")
            buffer.appendJSONString(field)
        }
        appendFacts(kind.facts, current, oldest, to: &buffer)
        buffer.append("}")
    }

    private func appendFacts(
        _ facts: Set<ProblemFact>,
        _ current: ByteView?,
        _ oldest: Position?,
        to buffer: inout ByteBuffer
    ) {
        if facts.contains(.borrow), let borrow = refusal.borrow {
            buffer.append(",\"borrow\":")
            borrow.append(to: &buffer)
        }
        if facts.contains(.current), let current {
            buffer.append(",\"current\":")
            buffer.append(current)
        }
        if facts.contains(.ended), let ended = refusal.ended {
            buffer.append(",\"ended\":")
            ended.append(to: &buffer)
        }
        if facts.contains(.rules), !refusal.rules.isEmpty {
            buffer.append(",\"rules\":")
            buffer.appendList(refusal.rules) { $1.appendJSONString($0) }
        }
        if facts.contains(.oldest), let oldest {
            buffer.append(",\"oldest\":")
            buffer.appendQuoted(oldest)
        }
    }
}

extension BorrowFacts {
    /// Appends `{"id","holder":{"user","device"},"takenAt","dueAt","note","queue","yours"}`.
    public func append(to buffer: inout ByteBuffer) {
        buffer.append("{\"id\":")
        buffer.appendQuoted(id)
        buffer.append(",\"holder\":{\"user\":")
        buffer.appendJSONString(user)
        buffer.append(",\"device\":")
        buffer.appendJSONString(device)
        buffer.append("},\"takenAt\":")
        buffer.appendTime(takenAt)
        buffer.append(",\"dueAt\":")
        buffer.appendTimeOrNull(dueAt)
        buffer.append(",\"note\":")
        buffer.appendJSONString(note)
        buffer.append(",\"queue\":")
        buffer.append(decimal: queue)
        buffer.append(isYours ? ",\"yours\":true}" : ",\"yours\":false}")
    }
}

extension Ending {
    /// Appends `{"by","device","at","why","reason"?}`; `why` is the label of the effect that was
    /// the end, `reason` what its change gave.
    func append(to buffer: inout ByteBuffer) {
        buffer.append("{\"by\":")
        buffer.appendJSONString(stamp.user)
        buffer.append(",\"device\":")
        buffer.appendJSONString(stamp.device)
        buffer.append(",\"at\":")
        buffer.appendTime(stamp.at)
        buffer.append(",\"why\":\"")
        buffer.append(label.word)
        buffer.append("\"")
        if !reason.isEmpty {
            buffer.append(",\"reason\":")
            buffer.appendJSONString(reason)
        }
        buffer.append("}")
    }
}
