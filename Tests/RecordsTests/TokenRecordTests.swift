// Tokens as values: their secret, their record's JSON, and rights as text.
import HoldfastBasics
import HoldfastRecords
import HoldfastTestSupport
import Testing

@Suite struct TokenRecordTests {
    private static func record(_ json: String) throws(FormError) -> TokenRecord {
        let key = RecordKey(UniqueID(high: 7, low: 9))
        let bytes = Array(json.utf8)
        let result = bytes.withView { view in
            Result { () throws(FormError) in try TokenRecord(key: key, json: view) }
        }
        return try result.get()
    }

    @Test("A secret is hf_ and 256 bits; what is kept is the SHA-256 of its text")
    func secret() {
        let secret = TokenSecret(random: SeededRandom(seed: 1))
        #expect(secret.text.wholeMatch(of: /hf_[0-9a-f]{64}/) != nil)
        #expect(secret.text != TokenSecret(random: SeededRandom(seed: 2)).text)
        let digest = Array("hf_abc".utf8).withView { TokenSecret.hash($0) }
        #expect(
            digest.description
                == "df36395a9d2f54b8e6e96d9710226cb93b5c6dad3ae506518b76363bd61ed591"
        )
    }

    @Test("A record is read as it was written")
    func roundTrip() throws {
        let parts = try #require(TreeName("parts"))
        for (bearer, ends) in [
            (TokenBearer.device("PC-1"), Int64?.none), (.integration("press \"4\""), 1_000),
        ] {
            let token = TokenRecord(
                id: UniqueID(high: 7, low: 9),
                hash: TokenSecret(random: SeededRandom(seed: 3)).hash,
                user: "anna",
                bearer: bearer,
                rights: Rights(everywhere: [.read], trees: [parts: [.write, .admin]]),
                ends: ends
            )
            let json = String(decoding: token.json, as: UTF8.self)
            #expect(try Self.record(json) == token)
            let rights = #"{"*":["read"],"parts":["read","write","admin"]}"#
            #expect(json.contains("\"rights\":" + rights))
        }
    }

    @Test("What is no token's value is refused, naming the member")
    func refused() {
        let hash = "\"hash\":\"\(String(repeating: "0", count: 64))\""
        let rights = "\"rights\":{\"*\":[\"read\"]}"
        let who = "\"user\":\"a\",\"device\":\"b\""
        for (json, path) in [
            ("{\"user\":\"a\",\"device\":\"b\",\(rights)}", "hash"),
            ("{\"hash\":\"00\",\"user\":\"a\",\"device\":\"b\",\(rights)}", "hash"),
            ("{\(hash),\"device\":\"b\",\(rights)}", "user"),
            ("{\(hash),\"user\":\"a\",\(rights)}", "device"),
            (
                "{\(hash),\"user\":\"a\",\"device\":\"b\",\"integration\":\"c\",\(rights)}",
                "integration"
            ),
            ("{\(hash),\"user\":\"a\",\"device\":\"b\"}", "rights"),
            ("{\(hash),\(who),\"rights\":{\"*\":[\"fly\"]}}", "rights.*.0"),
            ("{\(hash),\(who),\"rights\":{\"_trees\":[]}}", "rights"),
            ("{\(hash),\"user\":\"a\",\"device\":\"b\",\(rights),\"ends\":\"soon\"}", "ends"),
        ] {
            do throws(FormError) {
                let token = try Self.record(json)
                Issue.record("\(json) was read as \(token)")
            } catch {
                #expect(error.path == path, "\(json): \(error)")
            }
        }
    }
}
