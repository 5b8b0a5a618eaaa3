// A stream whose bytes go through TLS: the handshake before it opens, then the same reads, sends
// and end as without.
//
// Invariants:
// - nobody but `secured` knows of the stream before the handshake is done, and it is called once,
//   unless the stream is closed before;
// - OpenSSL may hold input that the socket does not show any more: what stops a read while there is
//   some comes back by `noteResumed`.
internal import Glibc
internal import HoldfastBasics

extension ByteStream {
    /// What a handshake gave.
    typealias Secured = (Result<Void, TLSError>) -> Void

    /// Agrees on keys before anything else; the handler is set by `secured`.
    ///
    /// - Parameters:
    ///   - session: Over the stream's descriptor.
    ///   - milliseconds: How long it may take, whatever comes meanwhile; nil for no bound.
    ///   - secured: Is told that the stream is open, or why it is not.
    func secure(
        _ session: TLSSession,
        deadlineMilliseconds milliseconds: Int?,
        _ secured: @escaping Secured
    ) {
        security = session
        self.secured = secured
        setDeadline(milliseconds: milliseconds)
        phase = .shaking
        updateReading()
        shake(session)
    }

    /// Goes on with the handshake, as far as the socket lets it.
    func shake(_ session: TLSSession) {
        switch session.shake() {
        case .wantsInput: setWriteArmed(false)
        case .wantsRoom: setWriteArmed(true)
        case .moved:
            phase = .open
            setWriteArmed(false)
            setDeadline(milliseconds: nil)
            let secured = secured
            self.secured = nil
            secured?(.success(()))
            updateReading()
            // The first request may have come with the end of the handshake.
            noteResumed()
        case .ended: fail(.truncated)
        case .failed(let error): fail(error)
        }
    }

    /// The time for the handshake has passed.
    func endShaking() {
        let secured = secured
        self.secured = nil
        secured?(.failure(.timedOut))
        close(.deadline)
    }

    private func fail(_ error: TLSError) {
        let secured = secured
        self.secured = nil
        secured?(.failure(error))
        guard phase == .shaking else { return }
        // Whatever lies unread must not overtake the alert.
        phase = .finishing
        linger()
    }

    /// The socket has input, or the session has.
    func readable(_ session: TLSSession) {
        if phase == .shaking { return shake(session) }
        if sendWantsInput {
            sendWantsInput = false
            noteDirty()
        }
        for _ in 0..<Self.readCountMax {
            guard phase == .open, !isPaused, !isOutputFull, !isInputEnded else { return }
            switch session.receive(into: loop.scratch) {
            case .moved(let count):
                receivedByteCount += UInt64(count)
                take(ByteView(UnsafeRawBufferPointer(rebasing: loop.scratch[..<count])))
                guard session.hasMore else { return }
            case .wantsInput: return
            case .wantsRoom:
                // An answer of the protocol's own waits for room.
                readWantsRoom = true
                return setWriteArmed(true)
            case .ended: return endInput()
            case .failed(let error): return close(.insecure(error))
            }
        }
        noteResumed()
    }

    /// Sends what the socket takes.
    ///
    /// - Returns: How many bytes; nil when the stream has failed.
    func send(_ session: TLSSession) -> Int? {
        var count = 0
        while !output.isEmpty {
            switch session.send(output.view) {
            case .moved(let part):
                output.consume(part)
                count += part
            case .wantsRoom: return count
            case .wantsInput:
                // The peer has begun a message of the protocol's own, and has to end it first.
                sendWantsInput = true
                return count
            case .ended:
                close(.insecure(.truncated))
                return nil
            case .failed(let error):
                close(.insecure(error))
                return nil
            }
        }
        return count
    }

    /// Tells the peer that no more comes; false while there is no room for it.
    func endSecureOutput() -> Bool {
        guard let security, security.endOutput() == .wantsRoom else { return true }
        setWriteArmed(true)
        stallDeadline = loop.nanoseconds(afterMilliseconds: options.stallMilliseconds)
        armTimer()
        return false
    }
}
