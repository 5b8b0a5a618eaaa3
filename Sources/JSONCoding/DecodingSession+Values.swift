// Decoding of one value inside a session, and the errors that say where it stands.
internal import HoldfastBasics

/// A document that is being decoded.
///
/// Unsafe, with this argument: `memory` comes from the pool and is never freed. Whoever holds a
/// session that has ended, or whose memory serves another one by now, is stopped by the comparison
/// of generations.
struct DecodingSession {
    private let memory: UnsafeMutablePointer<DecodingCore>
    private let generation: UInt32

    private static let pool = Pool<DecodingCore>()

    /// Begins to decode a document.
    init(_ document: ByteView, userInfo: [CodingUserInfoKey: any Sendable]) {
        if let rested = Self.pool.take() {
            memory = rested
        } else {
            memory = .allocate(capacity: 1)
            memory.initialize(to: DecodingCore())
        }
        generation = memory.pointee.generation
        memory.pointee.cursor = JSONCursor(document)
        if !userInfo.isEmpty { memory.pointee.userInfo = userInfo }
    }

    /// The state; stops the process when the session has ended.
    @inline(__always)
    var core: UnsafeMutablePointer<DecodingCore> {
        precondition(memory.pointee.generation == generation, "decoder used after its document")
        return memory
    }

    /// Ends the session, once.
    func end() {
        core.pointee.reset()
        Self.pool.giveBack(memory)
    }

    @inline(never)
    func decodeUnknown<T: Decodable>(_ type: T.Type, in location: Location) throws -> T {
        let frame = core.pointee.frames.count
        let listedCount = core.pointee.members.count
        do throws(JSONError) { _ = try core.pointee.cursor.peek() } catch {
            throw failure(error, type, location)
        }
        let start = core.pointee.cursor.offset
        let value = try T(from: ValueDecoder(session: self, start: start, location: location))
        do throws(JSONError) { try core.pointee.leave(start, frame: frame) } catch {
            throw failure(error, type, location)
        }
        core.pointee.close(frames: frame, members: listedCount)
        return value
    }

    // MARK: Errors

    /// Says what is wrong with a value that could not be read.
    @inline(never)
    func failure(
        _ error: JSONError,
        _ type: Any.Type,
        _ location: Location
    ) -> DecodingError {
        var path = path(location)
        if let index = core.pointee.failedIndex {
            path.append(PathKey(index: index))
            core.pointee.failedIndex = nil
        }
        guard case .wrongKind(let offset, _) = error else { return Self.corrupted(error, path) }
        core.pointee.cursor.seek(offset)
        let isNull = (try? core.pointee.cursor.null()) == true
        let context = DecodingError.Context(
            codingPath: path,
            debugDescription: error.description + (isNull ? ", not null" : "")
        )
        return isNull ? .valueNotFound(type, context) : .typeMismatch(type, context)
    }

    static func corrupted(_ error: JSONError, _ path: [any CodingKey]) -> DecodingError {
        .dataCorrupted(
            DecodingError.Context(
                codingPath: path,
                debugDescription: error.description,
                underlyingError: error
            )
        )
    }

    /// The names and indexes that lead to a place.
    func path(_ location: Location) -> [any CodingKey] {
        var path: [any CodingKey] = []
        var place = location
        // A frame always stands above the frame around it, so this ends.
        while place.frame >= 0, Int(place.frame) < core.pointee.frames.count {
            path.append(step(place))
            let outer = core.pointee.frames[Int(place.frame)].location
            guard outer.frame < place.frame else { break }
            place = outer
        }
        return path.reversed()
    }

    private func step(_ location: Location) -> PathKey {
        if location.label >> 31 == 1 { return PathKey(index: Int(location.label & 0x7FFF_FFFF)) }
        var cursor = core.pointee.cursor
        cursor.seek(Int(location.label))
        return PathKey((try? cursor.string())?.text ?? "")
    }
}
