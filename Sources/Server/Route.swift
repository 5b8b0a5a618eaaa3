// The whole HTTP surface on one screen.
internal import HoldfastBasics
internal import HoldfastHTTP
internal import HoldfastRecords

/// Every path the server answers, by what it is for.
enum Route: String, CaseIterable, Sendable {
    case about = "/v1"
    case contract = "/v1/openapi.json"
    case trees = "/v1/trees"
    case tree = "/v1/trees/{tree}"
    case records = "/v1/records/{tree}"
    case record = "/v1/records/{tree}/{key}"
    case release = "/v1/records/{tree}/{key}/release"
    case revise = "/v1/records/{tree}/{key}/revise"
    case state = "/v1/records/{tree}/{key}/state"
    case history = "/v1/records/{tree}/{key}/history"
    case changes = "/v1/changes"
    case change = "/v1/changes/{seq}"
    case undo = "/v1/changes/{seq}/undo"
    case borrows = "/v1/borrows"
    case borrow = "/v1/borrows/{id}"
    case borrowReturn = "/v1/borrows/{id}/return"
    case borrowCancel = "/v1/borrows/{id}/cancel"
    case borrowRecall = "/v1/borrows/{id}/recall"
    case borrowSeize = "/v1/borrows/{id}/seize"
    case borrowSetHolder = "/v1/borrows/{id}/setHolder"
    case ranges = "/v1/ranges"
    case snapshot = "/v1/snapshot"
    case part = "/v1/snapshot/{sha256}"
    case heal = "/v1/heal"
    case tokens = "/v1/tokens"
    case ownToken = "/v1/tokens/me"
    case token = "/v1/tokens/{id}"
    case devices = "/v1/devices"
    case ownDevice = "/v1/devices/me"
    case device = "/v1/devices/{id}"
    case feed = "/v1/feed"
    case tickets = "/v1/feed/tickets"
    case mirror = "/v1/mirror"
    case live = "/livez"
    case ready = "/readyz"
    case metrics = "/metrics"
    case files = "/v1/files"
    case file = "/v1/files/{sha256}"
    case viewer = "/"

    /// What a path takes, for 405 and its Allow field.
    var methods: [HTTPMethod] {
        switch self {
        case .about, .contract, .trees, .live, .ready, .metrics, .viewer, .feed, .mirror, .part,
            .history, .change, .devices, .ownDevice, .ownToken:
            [.get, .head]
        case .tree: [.get, .head, .put]
        case .records: [.get, .head, .post, .delete]
        case .record: [.get, .head, .put, .patch, .delete]
        case .release, .revise, .state, .heal, .undo: [.post]
        case .borrowReturn, .borrowCancel, .borrowRecall, .borrowSeize, .borrowSetHolder: [.post]
        case .changes: [.get, .head, .post]
        case .borrows: [.get, .head]
        case .borrow: [.get, .head, .put, .patch]
        case .ranges, .snapshot, .tokens: [.get, .head, .post]
        case .token: [.patch, .delete]
        case .device: [.delete]
        case .files: [.post]
        case .file: [.get, .head, .put]
        case .tickets: [.post]
        }
    }

    /// `GET, HEAD, PUT`.
    var allow: String { methods.map(\.name).joined(separator: ", ") }

    /// Whether a reply names the position: everything below `/v1`.
    var hasPosition: Bool {
        switch self {
        case .live, .ready, .metrics, .viewer: false
        default: true
        }
    }

    /// Finds the route of a target's path; nil below `/v1` when there is none.
    init?(_ target: borrowing RequestTarget) {
        let count = target.segmentCount
        guard count > 0, target.segment(0).equals("v1") else {
            self = count == 1 ? Self.operations(target.segment(0)) : .viewer
            return
        }
        guard count > 1 else {
            self = .about
            return
        }
        guard let route = Self.resource(target, target.segment(1), count - 2) else { return nil }
        self = route
    }

    private static func operations(_ name: ByteView) -> Route {
        if name.equals("livez") { return .live }
        if name.equals("readyz") { return .ready }
        return name.equals("metrics") ? .metrics : .viewer
    }

    private static func resource(
        _ target: borrowing RequestTarget,
        _ name: ByteView,
        _ rest: Int
    ) -> Route? {
        if name.equals("records") {
            switch rest {
            case 1: return .records
            case 2: return .record
            case 3:
                let step = target.segment(4)
                if step.equals("release") { return .release }
                if step.equals("revise") { return .revise }
                if step.equals("history") { return .history }
                return step.equals("state") ? .state : nil
            default: return nil
            }
        }
        if name.equals("borrows") {
            switch rest {
            case 0: return .borrows
            case 1: return .borrow
            case 2:
                let step = target.segment(3)
                if step.equals("return") { return .borrowReturn }
                if step.equals("cancel") { return .borrowCancel }
                if step.equals("recall") { return .borrowRecall }
                if step.equals("seize") { return .borrowSeize }
                return step.equals("setHolder") ? .borrowSetHolder : nil
            default: return nil
            }
        }
        if name.equals("snapshot") { return rest == 0 ? .snapshot : rest == 1 ? .part : nil }
        if name.equals("files") { return rest == 0 ? .files : rest == 1 ? .file : nil }
        if name.equals("tokens"), rest < 2 {
            return rest == 0 ? .tokens : target.segment(2).equals("me") ? .ownToken : .token
        }
        if name.equals("trees") { return rest == 0 ? .trees : rest == 1 ? .tree : nil }
        if name.equals("feed"), rest == 1 {
            return target.segment(2).equals("tickets") ? .tickets : nil
        }
        if name.equals("changes"), rest == 1 { return .change }
        if name.equals("changes"), rest == 2 {
            return target.segment(3).equals("undo") ? .undo : nil
        }
        if name.equals("devices"), rest < 2 {
            return rest == 0 ? .devices : target.segment(2).equals("me") ? .ownDevice : .device
        }
        guard rest == 0 else { return nil }
        if name.equals("openapi.json") { return .contract }
        if name.equals("changes") { return .changes }
        if name.equals("ranges") { return .ranges }
        if name.equals("mirror") { return .mirror }
        if name.equals("heal") { return .heal }
        return name.equals("feed") ? .feed : nil
    }
}

extension HTTPMethod {
    /// The token.
    var name: String {
        switch self {
        case .get: "GET"
        case .head: "HEAD"
        case .post: "POST"
        case .put: "PUT"
        case .patch: "PATCH"
        case .delete: "DELETE"
        case .options: "OPTIONS"
        case .other: "other"
        }
    }
}
