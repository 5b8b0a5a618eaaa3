// A link on a loop of its own, and what its handler was told.
import HoldfastBasics
import HoldfastHTTP
import HoldfastNetworking
import HoldfastWire
import Testing

@testable import Holdfast

/// Records what a link tells, and passes a test's wishes to it.
final class LinkProbe: Sendable {
    /// What was told so far.
    struct Told: Sendable {
        var server: ServerDocument?
        var messages: [MirrorDown] = []
        var ends: [LinkEnd] = []

        /// Contents of all commits so far.
        var commits: [[UInt8]] {
            messages.flatMap { message -> [[UInt8]] in
                if case .commits(let contents) = message { contents } else { [] }
            }
        }

        var welcome: MirrorWelcome? {
            for case .welcome(let welcome) in messages { return welcome }
            return nil
        }
    }

    private final class Handler: MirrorLinkHandler {
        let told: Condition<Told>
        var link: MirrorLink?

        init(_ told: Condition<Told>) { self.told = told }

        func identified(_ link: MirrorLink, _ server: ServerDocument) throws -> (any LinkErrand)? {
            nil
        }

        func done(_ link: MirrorLink) throws {}

        func opened(_ link: MirrorLink, _ server: ServerDocument) {
            told.signal { $0.server = server }
        }

        func received(_ link: MirrorLink, _ message: MirrorDown) {
            told.signal { $0.messages.append(message) }
        }

        func drained(_ link: MirrorLink) {}

        func ended(_ link: MirrorLink, _ end: LinkEnd) { told.signal { $0.ends.append(end) } }
    }

    private let told = Condition(Told())
    private let loop: EventLoop
    private let handler: LoopBound<Handler>

    /// Opens a link.
    init(_ target: LinkTarget) throws {
        let loop = try EventLoop()
        self.loop = loop
        let told = self.told
        let made = Condition<LoopBound<Handler>?>(nil)
        loop.execute {
            let handler = Handler(told)
            let random = SeededRandom(seed: 4)
            handler.link = MirrorLink(target, on: loop, random: random, handler: handler)
            handler.link?.open()
            let bound = LoopBound(handler, to: loop)
            made.signal { $0 = bound }
        }
        handler = try #require(made.wait(until: { $0 != nil }) { $0 })
    }

    /// Runs something with the link on its loop.
    func execute(_ work: @escaping @Sendable (MirrorLink) -> Void) {
        handler.execute { handler in handler.link.map(work) }
    }

    func send(_ message: MirrorUp) { execute { $0.send(message) } }

    /// Waits until something was told, or the link has ended; gives all that was told.
    @discardableResult
    func wait(until isReady: @Sendable (Told) -> Bool) -> Told {
        told.wait(until: { isReady($0) || !$0.ends.isEmpty }) { $0 }
    }

    /// Waits for the end.
    func end() -> LinkEnd? { told.wait(until: { !$0.ends.isEmpty }) { $0.ends.first } }

    /// Ends the loop; gives all that was told.
    @discardableResult
    func stop() -> Told {
        handler.execute { handler in
            handler.link?.close()
            handler.link = nil
        }
        loop.stop()
        loop.join()
        return told.withLock { $0 }
    }
}
