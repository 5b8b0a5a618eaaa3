// OpenSSL's libcrypto for Swift: digests. What is of libssl stands in tls.h.
#pragma once
// Ahead of everything else, so that feature macros are settled before any system type is seen.
#include <features.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
