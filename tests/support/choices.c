/* What a guest made of bytes writes. See choices.h. */
#include "tests/support/choices.h"

void choices_address(uint8_t choice, struct call_addr *addr)
{
    static const uint8_t ip4[8][4] = {{127, 255, 255, 255}, {126, 255, 255, 255}, {128, 0, 0, 1},
                                      {0, 0, 0, 0},         {169, 254, 169, 254}, {10, 0, 0, 1},
                                      {255, 255, 255, 255}, {126, 0, 0, 1}};
    static const uint8_t ip6[4][16] = {
        {[15] = 1}, {[15] = 2}, {[15] = 0}, {[10] = 255, 255, 127, 0, 0, 1}};

    if (choice < 128)
        call_addr4(addr, (const uint8_t[]){127, 0, 0, 1}, 80);
    else if (choice < 192)
        call_addr4(addr, ip4[choice % 8], 80);
    else
        call_addr6(addr, ip6[choice % 4], 80);
    if (choice >= 224)
        addr->bytes[24] = choice % 32; /* the scope */
}

void choices_value(struct fuzz_input *input, char *value)
{
    static const char *const values[] = {"",   "0",          "1",          "2",  "3", "4",
                                         "5",  "6",          "7",          "8",  "9", "+4",
                                         "4 ", "4294967296", "0000000004", "-1", "x", "10"};
    uint32_t choice = fuzz_u8(input);

    if (choice < 200)
        snprintf(value, STEP_VALUE_BYTES, "%s", values[choice % 18]);
    else
        xenbus_print(value, seams_number(input));
}
