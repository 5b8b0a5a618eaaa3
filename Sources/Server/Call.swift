// One request on its way through the server: head, target, body, and who asks.
internal import HoldfastBasics
internal import HoldfastHTTP
internal import HoldfastRecords
internal import HoldfastWire

/// A request as routes see it.
///
/// Valid during the call that was given it. One object for each request, as it is handed on from
/// function to function: copies of all of it would cost more than its making.
final class Call {
    let head: RequestHead
    let body: ByteView
    let route: Route
    let caller: Caller
    /// What the caller gave as its reason.
    let why: String
    /// The schema version the caller wrote with.
    let schema: SchemaVersion?
    /// The change id, when the caller gave one.
    let idempotencyKey: UniqueID?
    /// Whether a write is to be answered with the record.
    let wantsRepresentation: Bool

    var method: HTTPMethod { head.method }
    var isRead: Bool { method == .get || method == .head }

    /// Reads what every request may carry.
    ///
    /// - Throws: `badHeader`.
    init(
        _ head: RequestHead,
        body: ByteView,
        route: Route,
        access: Access? = nil
    ) throws(RequestRefusal) {
        self.head = head
        self.body = body
        self.route = route
        caller = try Self.caller(head, access)
        let underscore = UInt8(ascii: "_")
        guard caller.user.utf8.first != underscore, caller.device.utf8.first != underscore else {
            throw RequestRefusal(
                .badHeader,
                "Users and devices that begin with _ are the system's."
            )
        }
        why = try Self.text(head, "holdfast-why", "", byteCountMax: Limits.whyByteCountMax)
        idempotencyKey = try Self.key(head)
        do throws(HTTPError) {
            wantsRepresentation = try Preferences(head).returns == .representation
        } catch {
            throw RequestRefusal(.badHeader, error.reason)
        }
        guard let text = try Self.single(head, "holdfast-schema")?.text else {
            schema = nil
            return
        }
        guard let version = SchemaVersion(text) else {
            throw RequestRefusal(.badHeader, "Holdfast-Schema is a version such as 1.0.")
        }
        schema = version
    }
}

extension Call {
    /// Who asks: whoever the token says, or, where there are none, whoever the request says.
    private static func caller(
        _ head: RequestHead,
        _ access: Access?
    ) throws(RequestRefusal) -> Caller {
        let app = try text(head, "holdfast-app", "")
        guard let access else {
            return Caller(
                user: try text(head, "holdfast-user", Caller.unnamed.user),
                device: try text(head, "holdfast-device", Caller.unnamed.device),
                app: app
            )
        }
        guard head.first("holdfast-user") == nil, head.first("holdfast-device") == nil else {
            throw RequestRefusal(
                .badHeader,
                "The token says who you are: leave Holdfast-User and Holdfast-Device out."
            )
        }
        return access.token.caller(app: app)
    }

    /// The value of a field that may stand once.
    static func single(
        _ head: RequestHead,
        _ name: StaticString
    ) throws(RequestRefusal) -> ByteView? {
        do throws(HTTPError) {
            return try head.single(name)
        } catch {
            throw RequestRefusal(.badHeader, error.reason)
        }
    }

    /// A field of percent-encoded UTF-8.
    static func text(
        _ head: RequestHead,
        _ name: StaticString,
        _ fallback: String,
        byteCountMax: Int = Limits.identityByteCountMax
    ) throws(RequestRefusal) -> String {
        guard let value = try single(head, name) else { return fallback }
        return try text(value, name, byteCountMax: byteCountMax)
    }

    private static func text(
        _ value: ByteView,
        _ name: StaticString,
        byteCountMax: Int
    ) throws(RequestRefusal) -> String {
        let text: String
        do throws(HTTPError) {
            text = try PercentEncoding.text(value)
            guard !text.isEmpty, text.unicodeScalars.allSatisfy({ $0.value >= 32 }) else {
                throw HTTPError.badField(name: "\(name)")
            }
        } catch {
            throw RequestRefusal(
                .badHeader,
                "\(name): \(error.reason) Its value is percent-encoded UTF-8 without control "
                    + "characters."
            )
        }
        guard text.utf8.count <= byteCountMax else {
            throw RequestRefusal(.tooLarge, "\(name) may have \(byteCountMax) bytes, decoded.")
        }
        return text
    }

    /// The value of `Idempotency-Key`.
    private static func key(_ head: RequestHead) throws(RequestRefusal) -> UniqueID? {
        guard let value = try single(head, "idempotency-key") else { return nil }
        guard let id = UniqueID(value), id != .none else {
            throw RequestRefusal(.badHeader, "Idempotency-Key is a UUID, its 36 characters.")
        }
        return id
    }

    /// The borrow a write comes under.
    func borrow() throws(RequestRefusal) -> UniqueID? {
        guard let value = try Self.single(head, "holdfast-borrow") else { return nil }
        guard let id = UniqueID(value) else {
            throw RequestRefusal(.badHeader, "Holdfast-Borrow is a UUID, its 36 characters.")
        }
        return id
    }

    /// What a write expects: If-Match, or If-None-Match with `*`.
    func expectation() throws(RequestRefusal) -> Expectation? {
        let match: EntityTagCondition?
        let none: EntityTagCondition?
        do throws(HTTPError) {
            match = try EntityTagCondition.read("if-match", head)
            none = try EntityTagCondition.read("if-none-match", head)
        } catch {
            throw RequestRefusal(.badHeader, error.reason)
        }
        if match != nil, none != nil {
            throw RequestRefusal(.badHeader, "If-Match and If-None-Match exclude each other.")
        }
        if let none {
            guard none == .any else {
                throw RequestRefusal(.badHeader, "A write takes If-None-Match: * alone.")
            }
            return .absent
        }
        guard let match else { return nil }
        guard case .tags(let tags) = match, tags.count == 1, !tags[0].isWeak,
            let position = tags[0].value.withView({ Position($0) })
        else {
            throw RequestRefusal(.badHeader, "If-Match takes one version: \"epoch:seq\".")
        }
        return .version(position)
    }

    /// Digest of the request: what must be the same when an id is used again.
    func digest(_ target: borrowing RequestTarget) -> Hash128 {
        var hasher = SHA256()
        func add(_ bytes: ByteView?) {
            let length = UInt64(bytes?.count ?? 0)
            hasher.update(Hash128(high: bytes == nil ? 1 : 0, low: length))
            if let bytes { hasher.update(bytes) }
        }
        add(head.methodText)
        hasher.update(Hash128(high: 0, low: UInt64(target.segmentCount)))
        for index in 0..<target.segmentCount { add(target.segment(index)) }
        let order = (0..<target.parameterCount).sorted { a, b in
            let (x, y) = (target.parameter(a), target.parameter(b))
            let names = x.name.compare(y.name)
            return names != 0
                ? names < 0 : (x.value ?? .empty).precedes(y.value ?? .empty)
        }
        for index in order {
            add(target.parameter(index).name)
            add(target.parameter(index).value)
        }
        for name: StaticString in [
            "if-match", "if-none-match", "holdfast-borrow", "holdfast-schema", "content-type",
        ] { add(head.first(name)) }
        Array(caller.user.utf8).withView { add($0) }
        Array(caller.device.utf8).withView { add($0) }
        add(body)
        return hasher.finishTruncated()
    }
}
