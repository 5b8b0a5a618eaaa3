// What a mirror asks a server before it has a copy: which database it holds, and whom its token
// stands for.
internal import FoundationEssentials
internal import HoldfastBasics
internal import HoldfastEmbedded
internal import HoldfastHTTP
internal import HoldfastNetworking
internal import HoldfastRecords
internal import HoldfastWire

/// What a server says before there is a copy.
struct ServerAnswer: Sendable {
    /// What it says of itself.
    var server: ServerDocument
    /// Whom the token that was shown stands for; nil when none was.
    var user: String?
}

/// Asks a server which database it holds.
enum ServerProbe {
    /// Confined to its loop.
    private final class Owner: MirrorLinkHandler {
        private let target: LinkTarget
        private let tell: @Sendable (Result<ServerAnswer, LinkEnd>) -> Void
        private var link: MirrorLink?
        private let question = TokenQuestion()

        init(
            _ target: LinkTarget,
            _ tell: @escaping @Sendable (Result<ServerAnswer, LinkEnd>) -> Void
        ) {
            self.target = target
            self.tell = tell
        }

        func ask(_ loop: EventLoop) {
            let link = MirrorLink(target, on: loop, random: SystemRandom(), handler: self)
            self.link = link
            link.open()
        }

        func close() { link?.close() }

        func identified(
            _ link: MirrorLink,
            _ server: ServerDocument
        ) throws -> (any LinkErrand)? {
            target.token == nil ? nil : question
        }

        func done(_ link: MirrorLink) { link.proceed() }

        func ended(_ link: MirrorLink, _ end: LinkEnd) { tell(.failure(end)) }

        func opened(_ link: MirrorLink, _ server: ServerDocument) {
            tell(.success(ServerAnswer(server: server, user: question.user)))
        }

        func received(_ link: MirrorLink, _ message: MirrorDown) {}
        func drained(_ link: MirrorLink) {}
    }

    static func ask(_ target: LinkTarget) async throws(DatabaseError) -> ServerAnswer {
        let answer = await Worker.run { () -> Result<ServerAnswer, LinkEnd> in
            let outcome = Condition<Result<ServerAnswer, LinkEnd>?>(nil)
            let loop: EventLoop
            do throws(NetworkError) {
                loop = try EventLoop()
            } catch {
                return .failure(.unreachable("\(error)"))
            }
            let made = Condition<LoopBound<Owner>?>(nil)
            loop.execute {
                let owner = Owner(target) { answer in outcome.signal { $0 = $0 ?? answer } }
                made.signal { $0 = LoopBound(owner, to: loop) }
                owner.ask(loop)
            }
            let owner = made.wait(until: { $0 != nil }) { $0 }
            let found = outcome.wait(until: { $0 != nil }) { $0 }
            loop.execute { owner?.value.close() }
            loop.stop()
            loop.join()
            return found ?? .failure(.lost)
        }
        switch answer {
        case .success(let answer): return answer
        case .failure(.otherDatabase(let found, _)):
            guard let expected = target.databaseID else {
                throw .refused(
                    HoldfastEmbedded.Refusal(
                        .wrongDatabase,
                        LinkEnd.otherDatabase(found: found, application: "").detail
                    )
                )
            }
            throw .wrongServer(expected: UUID(expected), found: UUID(found))
        case .failure(.untrusted(let why)):
            throw .untrusted(LinkEnd.untrusted(why).detail)
        case .failure(let end):
            if end.mayRetry { throw .offline }
            throw .refused(HoldfastEmbedded.Refusal(.unsupported, end.detail))
        }
    }
}

/// Asks whom the token stands for.
private final class TokenQuestion: LinkErrand {
    private(set) var user: String?
    private var isAsked = false

    func next() -> LinkRequest? {
        guard !isAsked else { return nil }
        isAsked = true
        return LinkRequest(path: "/v1/tokens/me")
    }

    func take(_ response: Response) throws {
        switch response.status {
        case 200:
            do {
                user = try response.body.withView { try TokenDocument.user($0) }
            } catch {
                throw LinkEnd.garbled("what the server says of the token is none.")
            }
        // An older server: the connection will say whether the user is the right one.
        case 404, 422: user = nil
        default:
            throw LinkEnd.refused(status: response.status, detail: "it does not take the token.")
        }
    }
}
