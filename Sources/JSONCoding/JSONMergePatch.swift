// RFC 7396: a document that says what is to change in another.
public import HoldfastBasics

/// Applies JSON merge patches.
///
/// Source: RFC 7396.
public enum JSONMergePatch {
    /// Applies a patch to a document.
    ///
    /// Members of the target keep their order and their bytes, new ones follow in the patch's
    /// order.
    ///
    /// - Parameters:
    ///   - patch: Any JSON text; it is checked and normalised here.
    ///   - target: A normalised document.
    /// - Returns: The patched document, normalised.
    /// - Throws: What is wrong with the patch.
    public static func apply(
        patch: ByteView,
        to target: ByteView
    ) throws(JSONError) -> [UInt8] {
        var document = ByteBuffer(capacity: patch.count)
        try JSONNormalizer.normalize(patch, into: &document)
        var output = ByteBuffer(capacity: target.count + patch.count)
        try merge(document.view, into: target, &output)
        return output.array
    }

    /// The recursion of RFC 7396, section 2; as deep as the patch, which has passed the limit.
    private static func merge(
        _ patch: ByteView,
        into target: ByteView?,
        _ output: inout ByteBuffer
    ) throws(JSONError) {
        guard try patch.kind() == .object else { return output.append(patch) }
        let changes = try ObjectMembers(patch)
        let present = if let target { try ObjectMembers(target) } else { ObjectMembers() }
        var isFirst = true
        output.append(ASCII.brace)
        for member in present.all {
            let change = changes.value(member.name)
            if let change, change.isNull { continue }
            separate(&isFirst, &output)
            guard let change else {
                member.append(to: &output)
                continue
            }
            member.appendName(to: &output)
            try merge(change, into: member.value, &output)
        }
        for member in changes.all
        where !member.value.isNull && present.value(member.name) == nil {
            separate(&isFirst, &output)
            member.appendName(to: &output)
            try merge(member.value, into: nil, &output)
        }
        output.append(ASCII.braceEnd)
    }

    private static func separate(_ isFirst: inout Bool, _ output: inout ByteBuffer) {
        if !isFirst { output.append(ASCII.comma) }
        isFirst = false
    }
}
