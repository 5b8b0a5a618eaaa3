// When leased borrows end. Kept in memory, on the monotonic clock of the process that decides: a
// renewal is not logged, and after a start every lease has its full term again.
internal import HoldfastBasics
internal import HoldfastEngine
internal import HoldfastRecords

/// The terms of leases.
struct LeaseTable {
    private struct Term {
        let nanoseconds: UInt64
        var end: UInt64
    }

    private var terms: [UniqueID: Term] = [:]

    /// Whether there are none, as far as was looked.
    var isEmpty: Bool { terms.isEmpty }

    /// Gives a lease its full term again.
    mutating func renew(_ id: UniqueID, now: UInt64) {
        guard var term = terms[id] else { return }
        term.end = now + term.nanoseconds
        terms[id] = term
    }

    /// Takes up new leases and lets go of those that ended otherwise.
    ///
    /// - Parameters:
    ///   - leases: Those that stand.
    ///   - time: The clock.
    /// - Returns: Those whose term is over.
    mutating func update(_ leases: [BorrowRecord], _ time: any TimeSource) -> Set<UniqueID> {
        guard !leases.isEmpty || !terms.isEmpty else { return [] }
        let now = time.monotonicNanoseconds()
        let known = terms
        terms.removeAll(keepingCapacity: true)
        var ended: Set<UniqueID> = []
        for lease in leases {
            let nanoseconds = UInt64(lease.termSeconds ?? 0) * 1_000_000_000
            var term = Term(nanoseconds: nanoseconds, end: now + nanoseconds)
            if let old = known[lease.id], old.nanoseconds == nanoseconds { term = old }
            if term.end <= now { ended.insert(lease.id) }
            terms[lease.id] = term
        }
        return ended
    }
}

extension Store.Core {
    /// Whoever takes a lease again, or writes under it, has its full term again.
    func renewLeases(
        by change: Change,
        _ decision: Decision,
        _ time: any TimeSource
    ) {
        switch decision {
        case .commit, .unchanged: break
        case .replayed, .refused, .undetermined: return
        }
        let now = time.monotonicNanoseconds()
        for operation in change.operations {
            if let id = operation.borrow { leases.renew(id, now: now) }
        }
    }
}

extension Store {
    /// Gives all leases of a device their full term again: it was heard of.
    ///
    /// - Parameters:
    ///   - user: Who holds them.
    ///   - device: On which device.
    public func renewLeases(of user: String, on device: String) {
        core.withLock { core in
            guard !core.leases.isEmpty else { return }
            let now = time.monotonicNanoseconds()
            for lease in core.state.leases where lease.user == user && lease.device == device {
                core.leases.renew(lease.id, now: now)
            }
        }
    }
}
