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
    /// What it says of the token that was shown.
    var token: TokenQuestion.Answer
}

/// Asks a server which database it holds.
enum ServerProbe {
    /// Confined to its loop.
    private final class Owner: MirrorLinkHandler {
        private let target: LinkTarget
        private let tell: @Sendable (Result<ServerAnswer, LinkEnd>) -> Void
        private var link: MirrorLink?
        private let question: TokenQuestion

        init(
            _ target: LinkTarget,
            _ tell: @escaping @Sendable (Result<ServerAnswer, LinkEnd>) -> Void
        ) {
            self.target = target
            self.tell = tell
            question = TokenQuestion(showsToken: target.token != nil)
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
            tell(.success(ServerAnswer(server: server, token: question.answer)))
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
