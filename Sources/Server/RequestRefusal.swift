// Requests refused before they become a change: their form is wrong, not what they ask for.
internal import HoldfastRecords

/// A refusal on its way out of a route.
struct RequestRefusal: Error {
    var refusal: Refusal

    init(_ code: RefusalCode, _ detail: String, field: String? = nil) {
        refusal = Refusal(code, detail, field: field)
    }

    init(_ refusal: Refusal) { self.refusal = refusal }
}
