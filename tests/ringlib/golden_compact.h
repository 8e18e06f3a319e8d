/*
 * Golden bytes of the compact study dialect, for golden.h alone to include. A field a line, by
 * hand. Source: protocol.md 2.2 (id u16, cmd u8, sockid u32, ret i16, refs in an indexes page), the
 * rest as dialect_xensock1_compact.c says it, for nobody else does.
 */
#ifndef XENSOCK_TESTS_RINGLIB_GOLDEN_COMPACT_H
#define XENSOCK_TESTS_RINGLIB_GOLDEN_COMPACT_H

enum { GOLDEN_xensock1_compact_BYTES = 44, GOLDEN_xensock1_compact_RESPONSE = 12 };

/* clang-format off */
static const uint8_t golden_compact_connect4[GOLDEN_xensock1_compact_BYTES] = {
    /* 0: id */
    0x02, 0x01,
    /* 2: cmd, len */
    0x00, 0x10,
    /* 4: sockid */
    0x14, 0x13, 0x12, 0x11,
    /* 8: addr */
    0x02, 0x00, 0x1f, 0x90, 0xc0, 0x00, 0x02, 0x21, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    /* 36: ref */
    0x34, 0x33, 0x32, 0x31,
    /* 40: evtchn */
    0x24, 0x23, 0x22, 0x21,
};

static const uint8_t golden_compact_connect6[GOLDEN_xensock1_compact_BYTES] = {
    /* 0: id */
    0xff, 0xff,
    /* 2: cmd, len */
    0x00, 0x1c,
    /* 4: sockid */
    0xfc, 0xfd, 0xfe, 0xff,
    /* 8: addr */
    0x0a, 0x00, 0x01, 0xbb, 0x12, 0x34, 0x56, 0x78, 0x20, 0x01, 0x0d, 0xb8, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0xab, 0xcd, 0xef, 0x00, 0x00, 0x00, 0x00,
    /* 36: ref */
    0x08, 0x00, 0x00, 0x00,
    /* 40: evtchn */
    0x01, 0x00, 0x00, 0x00,
};

static const uint8_t golden_compact_release[GOLDEN_xensock1_compact_BYTES] = {
    /* 0: id */
    0x00, 0x00,
    /* 2: cmd */
    0x03, 0x00,
    /* 4: sockid */
    0x01, 0x00, 0x00, 0x80,
};

static const uint8_t golden_compact_bind[GOLDEN_xensock1_compact_BYTES] = {
    /* 0: id */
    0x02, 0x00,
    /* 2: cmd, len */
    0x04, 0x10,
    /* 4: sockid */
    0x0a, 0x00, 0x00, 0x00,
    /* 8: addr */
    0x02, 0x00, 0x1b, 0x58, 0x7f, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
};

static const uint8_t golden_compact_listen[GOLDEN_xensock1_compact_BYTES] = {
    /* 0: id */
    0x03, 0x00,
    /* 2: cmd */
    0x05, 0x00,
    /* 4: sockid */
    0x0a, 0x00, 0x00, 0x00,
};

static const uint8_t golden_compact_accept[GOLDEN_xensock1_compact_BYTES] = {
    /* 0: id */
    0xfe, 0xff,
    /* 2: cmd */
    0x06, 0x00,
    /* 4: sockid */
    0x03, 0x00, 0x00, 0x00,
    /* 8: sockid */
    0x84, 0x83, 0x82, 0x81,
    /* 12: ref */
    0x01, 0x00, 0x00, 0x80,
    /* 16: evtchn */
    0xff, 0x0f, 0x00, 0x00,
};

static const uint8_t golden_compact_poll[GOLDEN_xensock1_compact_BYTES] = {
    /* 0: id */
    0x04, 0x00,
    /* 2: cmd */
    0x07, 0x00,
    /* 4: sockid */
    0x0a, 0x00, 0x00, 0x00,
};
/* clang-format on */

static const struct golden_request golden_xensock1_compact_requests[] = {
    {.name = "CONNECT, IPv4",
     .wire = golden_compact_connect4,
     .id = 0x0102,
     .code = 0,
     .kind = CALL_CONNECT,
     .sockid = 0x11121314,
     .addr = {{2, 0, 0x1f, 0x90, 192, 0, 2, 33}, 16}, /* 192.0.2.33, port 8080 */
     .evtchn = 0x21222324,
     .ref = 0x31323334,
     .ref_count = 1},
    {.name = "CONNECT, IPv6",
     .wire = golden_compact_connect6,
     .id = 0xffff,
     .code = 0,
     .kind = CALL_CONNECT,
     .sockid = 0xfffefdfc,
     .addr = {{10, 0, 1, 0xbb, 0x12, 0x34, 0x56, 0x78, 0x20, 1,    0x0d, 0xb8, 0, 0,
               0,  0, 0, 0,    0,    0,    0,    0xab, 0xcd, 0xef, 0,    0,    0, 0},
              28},
     .evtchn = 1,
     .ref = 8,
     .ref_count = 1},
    {.name = "RELEASE",
     .wire = golden_compact_release,
     .id = 0,
     .code = 3,
     .kind = CALL_RELEASE,
     .sockid = 0x80000001},
    {.name = "BIND",
     .wire = golden_compact_bind,
     .id = 2,
     .code = 4,
     .kind = CALL_BIND,
     .sockid = 10,
     .addr = {{2, 0, 0x1b, 0x58, 127, 0, 0, 1}, 16}}, /* 127.0.0.1, port 7000 */
    {.name = "LISTEN",
     .wire = golden_compact_listen,
     .id = 3,
     .code = 5,
     .kind = CALL_LISTEN,
     .sockid = 10},
    {.name = "ACCEPT",
     .wire = golden_compact_accept,
     .id = 0xfffe,
     .code = 6,
     .kind = CALL_ACCEPT,
     .sockid = 3,
     .new_sockid = 0x81828384,
     .evtchn = 0xfff,
     .ref = 0x80000001,
     .ref_count = 1},
    {.name = "POLL",
     .wire = golden_compact_poll,
     .id = 4,
     .code = 7,
     .kind = CALL_POLL,
     .sockid = 10},
};

/* id, cmd, pad; sockid; ret, pad */
static const struct golden_response golden_xensock1_compact_responses[] = {
    {"CONNECT refused",
     {0x02, 0x01, 0x00, 0x00, 0x14, 0x13, 0x12, 0x11, 0x91, 0xff, 0x00, 0x00},
     {.id = 0x0102, .code = 0, .sockid = 0x11121314, .ret = -111}},
    {"ACCEPT",
     {0xfe, 0xff, 0x06, 0x00, 0x03, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00},
     {.id = 0xfffe, .code = 6, .sockid = 3, .ret = 0}},
    {"a command nobody knows",
     {0x05, 0x00, 0x2a, 0x00, 0xff, 0xff, 0xff, 0xff, 0xf4, 0xfd, 0x00, 0x00},
     {.id = 5, .code = 42, .sockid = 0xffffffff, .ret = -524}},
    {"the largest result there is, a lie",
     {0x05, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0xff, 0x7f, 0x00, 0x00},
     {.id = 5, .code = 0, .sockid = 1, .ret = 32767}},
};

#endif
