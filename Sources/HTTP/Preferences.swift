// What a client would like: `Prefer: wait=10, return=minimal`. Source: RFC 7240.
internal import HoldfastBasics

/// The preferences Holdfast knows; others are passed over, as the RFC demands.
public struct Preferences: Sendable, Equatable {
    /// What a write is answered with.
    public enum Return: Sendable {
        /// The status and headers alone.
        case minimal
        /// The record as it is now.
        case representation
    }

    /// How long the caller waits for an answer.
    ///
    /// Unit: seconds.
    public var waitSeconds: Int?
    /// What a write is answered with.
    public var returns: Return?

    /// Reads the Prefer fields; of a preference given twice the first counts.
    ///
    /// - Throws: `badField` when the value of a known preference is malformed.
    public init(_ head: RequestHead) throws(HTTPError) {
        var isMalformed = false
        var found = (waitSeconds: Int?.none, returns: Return?.none)
        head.forEach("prefer") { value in
            FieldList.forEach(value) { item in
                var parameters = MediaType.Parameters(item)
                guard let (name, value) = parameters.next() else { return }
                if name.equalsIgnoringCase("wait"), found.waitSeconds == nil {
                    found.waitSeconds = value.withView { $0.decimal }
                    isMalformed = isMalformed || found.waitSeconds == nil
                } else if name.equalsIgnoringCase("return"), found.returns == nil {
                    found.returns = value.withView {
                        $0.equalsIgnoringCase("minimal")
                            ? .minimal
                            : $0.equalsIgnoringCase("representation") ? .representation : nil
                    }
                    isMalformed = isMalformed || found.returns == nil
                }
            }
        }
        if isMalformed { throw .badField(name: "prefer") }
        (waitSeconds, returns) = found
    }
}
