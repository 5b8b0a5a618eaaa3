// A page that is searched or sorted for: it may take many slices, and is answered when it is whole.
internal import HoldfastBasics
internal import HoldfastEngine
internal import HoldfastHTTP
internal import HoldfastNetworking
internal import HoldfastRecords
internal import HoldfastStore
internal import HoldfastWire

/// A page while it is gathered.
final class SearchedPage {
    private let server: LoopServer
    private let connection: Connection
    private let choice: ListChoice
    private let limit: Int
    private let pin: Pin
    private let walk: ListWalk
    private let caller: Caller?
    private let access: Access?
    private var body = ByteBuffer(capacity: 4096)
    private var page: ListPage

    init(
        _ connection: Connection,
        _ choice: ListChoice,
        _ limit: Int,
        _ pin: Pin,
        _ walk: ListWalk
    ) {
        self.connection = connection
        self.choice = choice
        self.limit = limit
        self.pin = pin
        self.walk = walk
        server = connection.server
        caller = server.caller
        access = server.access
        page = ListPage(.records, in: &body)
    }

    /// Whether no more is looked for.
    private var isWhole: Bool {
        walk.isEnd || page.count == limit || body.count >= Limits.bodyByteCountMax
    }

    /// Begins; the loop's reply is the page when one slice is enough.
    func begin() throws(RequestRefusal) {
        let holds = step()
        if holds, !isWhole {
            connection.wait(.records)
            goOn()
            return
        }
        server.store.unpin(pin)
        guard holds else { throw Self.late }
        finish()
    }

    private func goOn() {
        server.loop.schedule(afterMilliseconds: 0) { [self] in slice() }
    }

    private func slice() {
        guard !connection.isClosed, server.mayGoOn(access) else {
            server.store.unpin(pin)
            if !connection.isClosed { connection.stream.close() }
            return
        }
        let holds = step()
        if holds, !isWhole { return goOn() }
        server.store.unpin(pin)
        server.reply.reset()
        if holds { finish() } else { server.render(Self.late.refusal) }
        connection.answer()
    }

    private static let late = RequestRefusal(
        .busy,
        "What was to be read is not kept any longer. Ask again."
    )

    /// Goes on by one slice; false when the position is not kept any longer.
    private func step() -> Bool {
        guard server.store.touch(pin) else { return false }
        server.store.read { reader in
            walk.step(reader) { _, location in
                page.beginElement(in: &body)
                reader.appendEnvelope(
                    RecordReference(tree: choice.tree, location: location),
                    for: caller,
                    at: pin.position.seq,
                    choice.fields,
                    to: &body
                )
                return !isWhole
            }
        }
        return true
    }

    private func finish() {
        var next: ListCursor?
        if !walk.isEnd, let last = walk.shown {
            next = ListCursor(
                after: last.key,
                choice.order == nil ? .key : .value(last.form),
                at: pin.position,
                parameters: choice.parameters
            )
        }
        page.end(next: next, in: &body)
        server.reply.position = pin.position
        server.reply.json()
        server.appendLink("/v1/records/\(choice.tree)", limit, choice.linked, next)
        server.reply.body.append(body.view)
    }
}
