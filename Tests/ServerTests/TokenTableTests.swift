// Who is let in, by the table alone.
import HoldfastBasics
import HoldfastRecords
import Testing

@testable import HoldfastServer

@Suite struct TokenTableTests {
    @Test("Callers are taken at their word while there is no token, and not when one is unreadable")
    func open() {
        #expect(TokenTable().isOpen)
        #expect(TokenTable().end(of: nil, at: 0) == nil)
        // What a newer version gave out must not open the server to everybody.
        let closed = TokenTable().closed(at: 7)
        #expect(!closed.isOpen && closed.seq == 7)
        #expect(closed.end(of: nil, at: 0)?.isOver == true)
    }

    @Test("Who was let in stays when another token cannot be read")
    func unreadable() throws {
        let secret = TokenSecret(random: SystemRandom())
        let token = TokenRecord(
            id: .version7(milliseconds: 1, random: SystemRandom()),
            hash: secret.hash,
            user: "anna",
            bearer: .device("PC-1"),
            rights: Rights(everywhere: [.admin])
        )
        let table = TokenTable([token], at: 3)
        let access = try #require(table.access(of: secret.hash.truncated))
        let closed = table.closed(at: 4)
        #expect(closed.access(of: secret.hash.truncated)?.token == token)
        #expect(closed.end(of: access, at: 0) == nil)
        #expect(!table.isOpen && !closed.isOpen)
    }
}
