// How something ended, as the log tells.
internal import HoldfastBasics
public import HoldfastRecords

extension Ending {
    /// The end that an effect is.
    public init(_ effect: borrowing EffectView, of commit: CommitView) {
        let reason: String
        do throws(ContentError) {
            reason = try commit.details().why.text
        } catch {
            // What cannot be read says nothing.
            reason = ""
        }
        self.init(
            stamp: Stamp(at: commit.at, user: commit.user.text, device: commit.device.text),
            label: effect.label,
            reason: reason
        )
    }
}
