// Rewriting a document without losing what the writer does not know.
//
// An application that knows fewer fields than a document holds decodes it, changes the value and
// encodes it again. What it knew is `old` (the document decoded and encoded at once), what it wants
// is `new`. The difference of the two is applied to the document itself: whatever stands in the
// document and in neither of the two was unknown, and stays.
//
// Rules: objects by member; arrays aligned by the longest common subsequence of known content;
// everything else is replaced. `null` and absent mean the same and are kept as found. The members
// of objects have no order here, because dictionaries encode in any.
public import HoldfastBasics

/// Applies the difference of two documents to a third.
public enum JSONDifference {
    /// Applies what changed between two encodings to the document they come from.
    ///
    /// - Parameters:
    ///   - old: The document as the writer knows it: decoded and encoded again.
    ///   - new: What the writer wants, encoded the same way.
    ///   - document: The document as it is stored.
    /// - Returns: The document with the writer's changes and all that the writer does not know.
    /// - Throws: When one of them is no normalised document.
    ///
    /// Complexity: linear in the documents for equal parts; for arrays in their length times the
    /// number of elements that differ.
    public static func apply(
        differenceFrom old: ByteView,
        to new: ByteView,
        onto document: ByteView
    ) throws(JSONError) -> [UInt8] {
        var output = ByteBuffer(capacity: document.count + new.count)
        try merge(old, new, document, 1, &output)
        return output.array
    }

    private static func merge(
        _ old: ByteView,
        _ new: ByteView,
        _ document: ByteView,
        _ depth: Int,
        _ output: inout ByteBuffer
    ) throws(JSONError) {
        guard depth <= Limits.depthMax + 1 else {
            throw .tooDeep(offset: 0, depthMax: Limits.depthMax)
        }
        if old == document { return output.append(new) }
        if try CanonicalForm.equal(old, new) { return output.append(document) }
        switch (try old.kind(), try new.kind(), try document.kind()) {
        case (.object, .object, .object): try mergeObjects(old, new, document, depth, &output)
        case (.array, .array, .array): try mergeArrays(old, new, document, depth, &output)
        default: output.append(new)
        }
    }

    // MARK: Objects

    private static func mergeObjects(
        _ old: ByteView,
        _ new: ByteView,
        _ document: ByteView,
        _ depth: Int,
        _ output: inout ByteBuffer
    ) throws(JSONError) {
        let (known, wanted) = (try ObjectMembers(old), try ObjectMembers(new))
        let present = try ObjectMembers(document)
        var isFirst = true
        output.append(ASCII.brace)
        for member in present.all {
            let before = known.value(member.name)
            let after = wanted.value(member.name)
            if isNil(before), isNil(after) {
                // Unknown to the writer, or as empty as it was.
                separate(&isFirst, &output)
                member.append(to: &output)
            } else if let after {
                separate(&isFirst, &output)
                member.appendName(to: &output)
                guard let before else {
                    output.append(after)
                    continue
                }
                try merge(before, after, member.value, depth + 1, &output)
            }
        }
        for member in wanted.all where present.value(member.name) == nil {
            let before = known.value(member.name)
            if isNil(before), member.value.isNull { continue }
            // A default that the document does not spell out stays unspelt.
            if let before, try CanonicalForm.equal(before, member.value) { continue }
            separate(&isFirst, &output)
            member.append(to: &output)
        }
        output.append(ASCII.braceEnd)
    }

    private static func isNil(_ value: ByteView?) -> Bool { value?.isNull ?? true }

    private static func separate(_ isFirst: inout Bool, _ output: inout ByteBuffer) {
        if !isFirst { output.append(ASCII.comma) }
        isFirst = false
    }

    // MARK: Arrays

    private static func mergeArrays(
        _ old: ByteView,
        _ new: ByteView,
        _ document: ByteView,
        _ depth: Int,
        _ output: inout ByteBuffer
    ) throws(JSONError) {
        let (known, wanted) = (try elements(old), try elements(new))
        let present = try elements(document)
        // A writer that drops or adds elements while decoding cannot say which is which.
        guard known.count == present.count else { return output.append(new) }
        let partners = try ArrayAlignment.partners(of: wanted, among: known)
        output.append(ASCII.bracket)
        for (index, element) in wanted.enumerated() {
            if index > 0 { output.append(ASCII.comma) }
            guard let partner = partners[index] else {
                output.append(element)
                continue
            }
            try merge(known[partner], element, present[partner], depth + 1, &output)
        }
        output.append(ASCII.bracketEnd)
    }

    private static func elements(_ array: ByteView) throws(JSONError) -> [ByteView] {
        var elements: [ByteView] = []
        var scanner = JSONScanner(array)
        try scanner.enterArray()
        while try scanner.nextElement() { elements.append(try scanner.skipValue()) }
        return elements
    }
}
