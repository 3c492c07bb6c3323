/// A name or a symbolic link's target as the kernel sent it: bytes, not text, without a terminator.
///
/// It points into the request and is valid only until the method it was given to returns; who parks the reply copies
/// it (`Name(name)`, `Array(name)`). A name of an entry has 1…255 bytes: the adapter answers longer ones itself.
public typealias FUSEName = UnsafeBufferPointer<UInt8>
