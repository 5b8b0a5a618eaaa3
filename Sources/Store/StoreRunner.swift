// The production driver of a store: one thread that syncs, and one that makes room for it.
internal import HoldfastBasics

/// Keeps a store's threads running.
public final class StoreRunner: Sendable {
    private let store: Store
    private let syncing: Worker
    private let room: Worker

    /// Starts the threads of a store.
    public init(_ store: Store) {
        self.store = store
        syncing = Worker {
            while store.waitForWork() { store.syncStep() }
        }
        room = Worker {
            while store.waitForRoomWork() { store.roomStep() }
        }
    }

    /// Syncs what is left, ends the threads and closes the store; called once.
    ///
    /// - Throws: `StoreError.log` when the end cannot be written.
    public func close() throws(StoreError) {
        store.beginClosing()
        syncing.join()
        room.join()
        try store.close()
    }
}
