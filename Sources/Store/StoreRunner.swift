// The production driver of a store: one thread that syncs.
internal import HoldfastBasics

/// Keeps a store's sync thread running.
public final class StoreRunner: Sendable {
    private let store: Store
    private let worker: Worker

    /// Starts the sync thread of a store.
    public init(_ store: Store) {
        self.store = store
        worker = Worker {
            while store.waitForWork() { store.syncStep() }
        }
    }

    /// Syncs what is left, ends the thread and closes the store; called once.
    ///
    /// - Throws: `StoreError.log` when the end cannot be written.
    public func close() throws(StoreError) {
        store.beginClosing()
        worker.join()
        try store.close()
    }
}
