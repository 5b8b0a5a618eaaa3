// What a mirror leaves to the authority. A preview never refuses what the authority would accept
// at that position.
internal import HoldfastRecords

extension Draft {
    /// Whether a preview cannot decide an operation.
    ///
    /// - it is for the authority alone: `borrow`, `recall`, `seize`, `setHolder`, `reserve`,
    ///   `defineTree`;
    /// - the authority chooses its id, from ranges and by chance a mirror does not share.
    ///
    /// Trees that are not here need no mention: `checkIsVisible` refuses them on either side.
    func isBeyondPreview(_ step: Operation) -> Bool {
        switch step {
        case .put(let write): write.key == nil
        case .patch, .delete, .release, .setState, .revise, .return, .cancel: false
        case .borrow, .recall, .seize, .setHolder, .reserve, .defineTree: true
        }
    }
}
