// Why JSON is not the form of a value.
internal import HoldfastBasics

/// What is wrong with a JSON form, and where.
///
/// A path joins member names by dots, array elements as numbers; it is empty for the whole value.
public enum FormError: Error, Hashable, Sendable {
    /// A member the form does not have.
    case unknownMember(path: String)
    /// A member that may not be left out.
    case missingMember(path: String)
    /// A value of another shape than the form's.
    case unfit(path: String, expected: String)

    /// The member at fault.
    public var path: String {
        switch self {
        case .unknownMember(let path), .missingMember(let path), .unfit(let path, _): path
        }
    }

    /// A sentence that says what to do.
    public var detail: String {
        switch self {
        case .unknownMember(let path): "There is no member '\(path)' here: leave it out."
        case .missingMember(let path): "The member '\(path)' is missing: give it."
        case .unfit("", let expected): "Give \(expected)."
        case .unfit(let path, let expected): "Give \(expected) as '\(path)'."
        }
    }
}
