// How a stream moves bytes: the only place that receives and sends.
internal import CHoldfastLibevent
internal import Glibc
internal import HoldfastBasics

extension ByteStream {
    /// Reads in one tick before other sockets get their turn.
    static let readCountMax = 4
    /// Memory above this is given back when a buffer is empty.
    private static let idleInputByteCount = 16 << 10
    private static let idleOutputByteCount = 64 << 10

    // MARK: Input

    /// The socket has input, or has ended.
    func readable() {
        if phase == .lingering { return throwAway() }
        if isPaused { return updateReading() }
        if let security { return readable(security) }
        for _ in 0..<Self.readCountMax {
            guard phase == .open, !isPaused, !isOutputFull else { return }
            let count = holdfast_receive(descriptor, loop.scratch.baseAddress, loop.scratch.count)
            guard count > 0 else { return endOrFail(count) }
            receivedByteCount += UInt64(count)
            take(ByteView(UnsafeRawBufferPointer(rebasing: loop.scratch[..<count])))
            // A short read has emptied the socket.
            if count < loop.scratch.count { return }
        }
    }

    private func endOrFail(_ result: Int) {
        if result == 0 {
            endInput()
        } else if result != -Int(EAGAIN) {
            close(.failed(errno: Int32(-result)))
        }
    }

    /// The peer has ended its side.
    func endInput() {
        isInputEnded = true
        updateReading()
        handler?.inputEnded(self)
    }

    /// Delivers in place when nothing is left over from before, the common case.
    func take(_ bytes: ByteView) {
        guard input.isEmpty else {
            input.append(bytes)
            return deliverInput()
        }
        let used = deliver(bytes)
        if phase == .open { input.append(bytes.suffix(from: used)) }
    }

    private func deliverInput() {
        let used = deliver(input.view)
        guard phase == .open else { return input.removeAll() }
        input.consume(used)
        input.shrinkIfEmpty(above: Self.idleInputByteCount)
    }

    /// - Returns: How many bytes the handlers have consumed.
    private func deliver(_ bytes: ByteView) -> Int {
        var used = 0
        while let current = handler {
            let count = current.received(self, bytes.suffix(from: used))
            precondition(count >= 0 && count <= bytes.count - used, "consumed more than there is")
            used += count
            // A new handler takes what the old one left, unless somebody has to wait.
            guard handler !== current, phase == .open, !isPaused, used < bytes.count else { break }
        }
        if phase == .open, !canTakeOutput {
            isOutputFull = true
            updateReading()
        }
        return used
    }

    /// The tick ends, and input may flow again: delivers what was left over.
    func redeliver() {
        clearNotes(resumed: true)
        guard phase == .open, !isPaused, !isOutputFull else { return }
        if !input.isEmpty { deliverInput() }
        if let security, security.hasMore { readable(security) }
    }

    private func throwAway() {
        let count = holdfast_receive(descriptor, loop.scratch.baseAddress, loop.scratch.count)
        if count == -Int(EAGAIN) { return }
        lingerByteCount += max(count, 0)
        if count <= 0 || lingerByteCount > options.lingerByteCountMax { close(.asked) }
    }

    // MARK: Output

    /// The tick ends: sends what has been written.
    func flush() {
        clearNotes(dirty: true)
        guard phase == .open || phase == .finishing else { return }
        // A full socket is asked again when it says that it has room.
        if !isWriteArmed, !sendWantsInput { sendOutput() }
        settle()
    }

    /// The socket has room.
    func writable() {
        if let security {
            if phase == .shaking { return shake(security) }
            if readWantsRoom {
                readWantsRoom = false
                readable(security)
            }
        }
        guard phase == .open || phase == .finishing else { return }
        sendOutput()
        settle()
    }

    private func sendOutput() {
        guard !output.isEmpty else { return setWriteArmed(false) }
        let taken = if let security { send(security) } else { sendPlainly() }
        guard let count = taken else { return }
        sentByteCount += UInt64(count)
        setWriteArmed(!output.isEmpty && !sendWantsInput)
        if output.isEmpty {
            stallDeadline = .max
            output.shrinkIfEmpty(above: Self.idleOutputByteCount)
        } else if count > 0 || stallDeadline == .max {
            stallDeadline = loop.nanoseconds(afterMilliseconds: options.stallMilliseconds)
            armTimer()
        }
    }

    /// - Returns: How many bytes the socket took; nil when the stream has failed.
    private func sendPlainly() -> Int? {
        guard let count = give(output.view) else { return nil }
        output.consume(count)
        return count
    }

    /// - Returns: How many bytes the socket took; nil when the stream has failed.
    func give(_ bytes: ByteView) -> Int? {
        let result = bytes.withUnsafeBytes {
            holdfast_send(descriptor, $0.baseAddress, $0.count)
        }
        guard result >= 0 || result == -Int(EAGAIN) else {
            close(.failed(errno: Int32(-result)))
            return nil
        }
        return max(result, 0)
    }

    /// Does what the amount of waiting output allows.
    private func settle() {
        guard phase != .closed, output.count <= options.outputByteCountLow else { return }
        if isOutputFull {
            isOutputFull = false
            updateReading()
            noteResumed()
        }
        if phase == .finishing {
            if output.isEmpty { linger() }
        } else if wantsDrained {
            wantsDrained = false
            handler?.outputDrained(self)
        }
    }
}
