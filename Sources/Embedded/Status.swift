// How it stands with whoever decides.
public import FoundationEssentials

extension Database {
    /// How it stands with whoever decides, as a value to show.
    public enum Status: Hashable, Sendable {
        /// This process decides.
        case embedded
        /// Another process decides, and this one reads what it writes.
        case readOnly
        /// Everything the server has is here.
        case live
        /// Connected, and some commits behind.
        case catchingUp(behind: UInt64)
        /// Not connected.
        case offline(since: Date)
        /// The server refused this client; it says why.
        case refused(String)
    }
}
