// What libFuzzer calls; part of the program `holdfast-fuzz` alone.
//
// HOLDFAST_FUZZ_TARGET names the target, as one program holds all of them.
import Glibc

private let target: FuzzTarget = {
    let name = getenv("HOLDFAST_FUZZ_TARGET").map { String(cString: $0) } ?? ""
    guard let target = FuzzTarget(rawValue: name) else {
        let names = FuzzTarget.allCases.map(\.rawValue).joined(separator: " ")
        preconditionFailure("HOLDFAST_FUZZ_TARGET is one of: \(names)")
    }
    return target
}()

/// Runs the target once.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOnce(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    do {
        try target.run([UInt8](UnsafeBufferPointer(start: start, count: count)))
    } catch {
        preconditionFailure("\(target): \(error)")
    }
    return 0
}
