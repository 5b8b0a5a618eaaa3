// What API v1 fixes and this version does not do yet is refused by name: no request is answered as
// if the part it does not support were not there.
internal import HoldfastBasics
internal import HoldfastHTTP
internal import HoldfastRecords

/// What comes with a later version.
enum Later {
    /// Whether a path without a route is one of the API's.
    static func hasPath(_ target: borrowing RequestTarget) -> Bool {
        guard target.segmentCount > 1, target.segment(0).equals("v1") else { return false }
        let name = target.segment(1)
        let rest = target.segmentCount - 2
        if rest < 2 {
            for whole: StaticString in [
                "backups", "cluster",
            ] where name.equals(whole) { return true }
        }
        return rest == 2 && name.equals("backups") && target.segment(3).equals("verify")
    }

    /// Refuses header fields that ask for something this version, or this route, does not do.
    ///
    /// - Throws: `unsupportedParameter` with the field.
    static func check(_ head: RequestHead, _ route: Route) throws(RequestRefusal) {
        guard route.hasPosition else { return }
        if head.method == .get || head.method == .head {
            try checkRead(head, route)
        } else if !route.takesPrecondition {
            for (field, name) in [
                ("if-match", "If-Match"), ("if-none-match", "If-None-Match"),
                ("holdfast-borrow", "Holdfast-Borrow"),
            ] as [(StaticString, String)] where head.first(field) != nil {
                throw refusal(name, "\(name) means nothing to \(route.rawValue). Leave it out.")
            }
        }
    }

    private static func checkRead(_ head: RequestHead, _ route: Route) throws(RequestRefusal) {
        if route != .changes, head.first("last-event-id") != nil {
            throw refusal("Last-Event-ID", "\(route.rawValue) has no stream of events.")
        }
        if head.first("if-match") != nil {
            throw refusal("If-Match", "A read takes If-None-Match, not If-Match.")
        }
        guard route != .feed, route != .mirror, route != .file else { return }
        let subtype: StaticString = route == .part ? "octet-stream" : "json"
        guard case .refused = Accept.answer(head, "application", subtype) else { return }
        let hasLines = route == .records || route == .changes
        if hasLines, case .named = Accept.answer(head, "application", "x-ndjson") { return }
        let isTable = route == .records
        if isTable, case .named = Accept.answer(head, "text", "csv") { return }
        let hasEvents = route == .changes
        if hasEvents, case .named = Accept.answer(head, "text", "event-stream") { return }
        throw refusal(
            "Accept",
            "\(route.rawValue) gives application/\(subtype)"
                + (hasLines ? " or application/x-ndjson" : "")
                + (isTable ? " or text/csv" : "")
                + (hasEvents ? " or text/event-stream" : "")
                + "; what this Accept asks for is not supported."
        )
    }

    private static func refusal(_ field: String, _ detail: String) -> RequestRefusal {
        RequestRefusal(.unsupportedParameter, detail, field: field)
    }
}

extension Route {
    /// Whether writes of this path come under a version or a borrow.
    fileprivate var takesPrecondition: Bool {
        self == .record || self == .release || self == .state
    }
}
