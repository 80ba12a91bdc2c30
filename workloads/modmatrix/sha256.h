#include <stddef.h>
#include <stdint.h>

/** SHA-256 (FIPS 180-4) of one message. */
void sha256(const unsigned char *message, size_t bytes, unsigned char digest[32]);
