/*
 * What the built-in peers and workloads send: bytes that are a pure function of (seed, stream,
 * offset), so that both ends can compare every byte without having seen the other's.
 *
 * Shares no code with the rings: only then does a ring's off-by-one show. The header that opens a
 * connection to a built-in peer is not part of the stream; offset 0 is the byte after it.
 * The generator is SplitMix64's output function over the word's number (Steele, Lea, Flood, 2014).
 */
#ifndef XENSOCK_SIM_RUN_PAYLOAD_H
#define XENSOCK_SIM_RUN_PAYLOAD_H

#include <stddef.h>
#include <stdint.h>

/* The key of one stream's bytes. Streams of one seed differ, and so do seeds of one stream. */
uint64_t payload_key(uint64_t seed, uint64_t stream);

/* Writes the `size` bytes of the stream that start at byte `offset`. Any alignment, any size;
 * offset + size may not pass 2^64. */
void payload_fill(uint64_t key, uint64_t offset, void *buffer, size_t size);

/* Compares like payload_fill writes: -1 if all are right, else the index in `buffer` (from 0) of
 * the first wrong byte. */
ptrdiff_t payload_check(uint64_t key, uint64_t offset, const void *buffer, size_t size);

/* The key of the bytes that answer those of a stream: so an echo is no answer. */
uint64_t payload_answer_key(uint64_t key);

/* What the peer is to do. UP: it compares what arrives. DOWN: it sends `bytes`. BOTH: it compares
 * what arrives and echoes it. ASK: it compares each request, and answers with as many bytes as that
 * opens with. */
enum payload_mode { PAYLOAD_UP = 1, PAYLOAD_DOWN = 2, PAYLOAD_BOTH = 3, PAYLOAD_ASK = 4 };

#define PAYLOAD_HEADER_BYTES 32
#define PAYLOAD_ASK_BYTES 16
#define PAYLOAD_VERSION 1

/* The first PAYLOAD_HEADER_BYTES of a connection to a built-in peer. On the wire, little-endian:
 * "XSPL", version 16, mode 16, seed 64, stream 64, bytes 64 bits. */
struct payload_header {
    enum payload_mode mode;
    uint64_t seed;
    uint64_t stream;
    uint64_t bytes; /* 0: until the end of the stream */
};

/* Writes the wire form. */
void payload_header_pack(const struct payload_header *header, uint8_t wire[PAYLOAD_HEADER_BYTES]);

/* Reads the wire form, from whoever connected: 0; -ERR_INVAL if it does not open with the magic;
 * -ERR_PROTONOSUPPORT for a version or a mode that is none of ours. Then *header is unchanged. */
int payload_header_unpack(const uint8_t wire[PAYLOAD_HEADER_BYTES], struct payload_header *header);

/* What a request of mode ASK opens with, in place of the stream's bytes there, so that it is part
 * of it: how long it is, PAYLOAD_ASK_BYTES at least, and how long its answer, not 0. On the wire
 * 32 bits each, little-endian, and 64 bits that follow from both, the stream's key and the
 * request's offset: a byte that is wrong shows. */
struct payload_ask {
    uint32_t request_bytes, response_bytes;
};

/* Writes the wire form of a request that begins at byte `offset` of the stream. */
void payload_ask_pack(const struct payload_ask *ask, uint64_t key, uint64_t offset,
                      uint8_t wire[PAYLOAD_ASK_BYTES]);

/* Reads the wire form: -1 if it is right, else the index of the first byte that is wrong, or of
 * the check if that does not follow; then *ask is unchanged. */
ptrdiff_t payload_ask_unpack(const uint8_t wire[PAYLOAD_ASK_BYTES], uint64_t key, uint64_t offset,
                             struct payload_ask *ask);

/* A running XXH3-128 over bytes of any origin. */
struct payload_digest {
    struct XXH3_state_s *state;
};

#define PAYLOAD_DIGEST_TEXT_BYTES 33

/* Starts a digest: 0, or -ERR_NOMEM with nothing to release. */
int payload_digest_init(struct payload_digest *digest);

/* Takes the next `size` bytes. */
void payload_digest_update(struct payload_digest *digest, const void *buffer, size_t size);

/* Writes the digest of all bytes so far as xxh128sum prints it, and a NUL; may be continued. */
void payload_digest_text(const struct payload_digest *digest, char text[PAYLOAD_DIGEST_TEXT_BYTES]);

/* Releases what init took. */
void payload_digest_fini(struct payload_digest *digest);

#endif
