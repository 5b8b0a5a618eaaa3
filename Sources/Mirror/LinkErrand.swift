// What is done on a link by requests, one after the other, before the upgrade or in its place.
internal import HoldfastHTTP

/// A request of an errand.
struct LinkRequest: Equatable {
    var method = "GET"
    var path: String
    /// Which bytes of what is asked for; nil for all.
    var range: Range<Int>?
    /// More header fields, each with the end of its line.
    var fields: [UInt8] = []
    /// Nil where the method has none.
    var body: [UInt8]?
}

/// Requests one after the other, each made when the reply to the one before was taken.
protocol LinkErrand: AnyObject {
    /// What to ask for; nil when the errand is done.
    ///
    /// - Throws: Why it cannot be gone on with; the link ends.
    func next() throws -> LinkRequest?

    /// Takes the reply to `next`.
    ///
    /// - Throws: Why it cannot be gone on with; the link ends.
    func take(_ response: Response) throws
}
