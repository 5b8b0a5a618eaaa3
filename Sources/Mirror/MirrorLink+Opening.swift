// How a link is opened: who the server is, errands, the upgrade.
internal import HoldfastBasics
internal import HoldfastHTTP
internal import HoldfastNetworking
internal import HoldfastRecords
internal import HoldfastWire

extension MirrorLink {
    func connected(_ outcome: Result<ByteStream, NetworkError>) {
        connector = nil
        guard phase == .connecting else {
            if case .success(let stream) = outcome { stream.close() }
            return
        }
        switch outcome {
        case .failure(.insecure(_, let error)): end(Self.end(error))
        case .failure(let error): end(.unreachable(error.description))
        case .success(let stream):
            self.stream = stream
            phase = .identifying
            // Nothing here says who asks.
            stream.write { out in
                out.append("GET /v1 HTTP/1.1\r\n")
                out.appendField("host", text: target.address.authority)
                out.append("accept: application/json\r\n\r\n")
            }
        }
    }

    func answered(_ response: Response) {
        switch phase {
        case .identifying: identify(response)
        case .onErrand: take(response)
        default: upgrade(response)
        }
    }

    private func identify(_ response: Response) {
        guard response.status == 200 else {
            end(refusal(response))
            return
        }
        let document: ServerDocument
        do {
            document = try response.body.withView { try ServerDocument($0) }
        } catch {
            end(.garbled("GET /v1 did not give a Holdfast server's document."))
            return
        }
        let isSame = target.databaseID.map { $0 == document.databaseID } ?? true
        guard isSame, document.application == target.application else {
            end(
                .otherDatabase(found: document.databaseID, application: document.application)
            )
            return
        }
        server = document
        do {
            errand = try handler?.identified(self, document)
        } catch {
            end(Self.end(error))
            return
        }
        guard let errand else { return requestUpgrade() }
        begin(errand)
    }

    // MARK: Errands

    private func begin(_ errand: any LinkErrand) {
        self.errand = errand
        phase = .onErrand
        opening?.cancel()
        opening = nil
        stream?.setDeadline(milliseconds: silenceMilliseconds)
        goOn()
    }

    /// Asks for what the errand needs next; the owner is told when that is nothing.
    private func goOn() {
        guard let errand else { return }
        do {
            guard let request = try errand.next() else {
                phase = .doneErrand
                stream?.setDeadline(milliseconds: nil)
                try handler?.done(self)
                return
            }
            let fields = identification
            stream?.write { out in
                out.append(text: "\(request.method) \(request.path) HTTP/1.1\r\n")
                out.appendField("host", text: target.address.authority)
                if let range = request.range {
                    let (first, last) = (range.lowerBound, range.upperBound - 1)
                    out.append(text: "range: bytes=\(first)-\(last)\r\n")
                }
                out.append(fields)
                out.append(request.fields)
                if let body = request.body {
                    out.appendField("content-length", decimal: body.count)
                    out.append("\r\n")
                    out.append(body)
                } else {
                    out.append("\r\n")
                }
            }
        } catch {
            end(Self.end(error))
        }
    }

    private func take(_ response: Response) {
        do {
            try errand?.take(response)
        } catch {
            end(Self.end(error))
            return
        }
        goOn()
    }

    /// What the errand brought is in its place: the handshake goes on.
    func proceed() {
        guard phase == .doneErrand else { return }
        errand = nil
        opening = loop.schedule(afterMilliseconds: target.openingMilliseconds) { [weak self] in
            self?.end(.timedOut)
        }
        requestUpgrade()
    }

    /// Does another errand after one that is done.
    func run(_ errand: any LinkErrand) {
        guard phase == .doneErrand else { return }
        begin(errand)
    }

    static func end(_ error: any Error) -> LinkEnd {
        switch error as? SnapshotError {
        case .gone: .notTaken("it was replaced by a newer one, or there is none.")
        case .refused(let status): .refused(status: status, detail: "no part of the snapshot.")
        case .garbled(let why): .garbled(why)
        case .disk(let error): .notTaken("\(error)")
        case nil: error as? LinkEnd ?? .notTaken("\(error)")
        }
    }

    // MARK: Upgrading

    /// Who asks, for a server that has shown that it is the right one.
    private var identification: [UInt8] {
        var fields = ByteBuffer()
        if target.token == nil {
            appendText("holdfast-user: ", target.user, to: &fields)
            appendText("holdfast-device: ", target.device, to: &fields)
        }
        if let id = server?.databaseID {
            fields.appendField("holdfast-database", text: id.description)
        }
        if let token = target.token { fields.appendField("authorization", text: "Bearer " + token) }
        return fields.array
    }

    private func requestUpgrade() {
        phase = .upgrading
        let more = identification
        stream?.write { out in
            proposal.appendRequest(
                target: "/v1/mirror",
                host: target.address.authority,
                fields: more,
                to: &out
            )
        }
    }

    private func appendText(_ name: StaticString, _ text: String, to buffer: inout ByteBuffer) {
        buffer.append(name)
        Array(text.utf8).withView { PercentEncoding.append($0, to: &buffer) }
        buffer.append("\r\n")
    }

    private func upgrade(_ response: Response) {
        guard response.status == 101 else {
            end(refusal(response))
            return
        }
        do throws(HTTPError) {
            try proposal.check(response)
        } catch {
            end(.garbled(error.reason))
            return
        }
        guard let server else { return }
        phase = .open
        opening?.cancel()
        opening = nil
        stream?.setDeadline(milliseconds: silenceMilliseconds)
        handler?.opened(self, server)
    }

    private func refusal(_ response: Response) -> LinkEnd {
        var detail = "it is no Holdfast server's reply."
        response.body.withView { body in
            do throws(ShapeRefusal) {
                detail = try ProblemDocument(body).refusal.detail
            } catch {
                // Not a problem of ours: the status says all there is.
            }
        }
        return .refused(status: response.status, detail: detail)
    }
}
