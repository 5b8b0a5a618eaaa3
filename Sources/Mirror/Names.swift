// Names that the engine and the applications' side both have: inside this module the engine's are
// meant.
internal import HoldfastRecords

typealias BorrowPolicy = HoldfastRecords.BorrowPolicy
typealias Operation = HoldfastRecords.Operation
typealias Position = HoldfastRecords.Position
typealias Refusal = HoldfastRecords.Refusal
typealias TreeDefinition = HoldfastRecords.TreeDefinition
