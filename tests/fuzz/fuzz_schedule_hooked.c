/*
 * Fuzz harness of the schedule: both cores, honest peers, and every choice about time made by the
 * input: who does what when, how the network is, when a vCPU is held back, where within a step the
 * other side comes in. The swarm (sim/run/swarm.h) checks everything from outside at every step.
 *
 * The input: ten bytes (see read_header), then for each connection two (see read_conns), a byte
 * that says how many events follow, these of five each (see read_event), and to the end the choices
 * where the other side comes in (struct swarm_config), unless the header has them drawn from its
 * seed. What is missing is zero.
 * Not here: peers that lie. How much is read and written at once follows the seed.
 */
#include "tests/fuzz/fuzz.h"

#include "ringlib/dialect.h"
#include "sim/run/model.h"
#include "sim/run/swarm.h"

#include <string.h>

enum { CONN_LEAST_NS = 1000 };

static struct scenario scenario = {.name = "fuzz", .protocol = {.order = 6}};
static struct model model;

static void load(void)
{
    static struct diag_list diags;
    int ret = model_load(&model, SCENARIO_COST_MODEL, "", &diags);

    FUZZ_CHECK(ret == 0, "no cost model");
    diag_fini(&diags);
}

/* 0, or a number whose length is as likely as any other, up to 2^18: 5 bits for that, 3 for the
 * first digits. */
static uint32_t scaled(uint8_t byte)
{
    uint32_t bits = byte >> 3;

    return byte == 0 ? 0 : bits > 17 ? bits : (8u + (byte & 7)) << bits >> 3;
}

/* A dialect of the registry, by any number. */
static const char *dialect_of(uint32_t which)
{
    uint32_t count = 0;

    while (dialect_at(count))
        count++;
    return dialect_at(which % count)->name;
}

/* A time before the quiet. */
static uint64_t some_time(const struct swarm_plan *plan, uint32_t share, uint32_t shares)
{
    return plan->rest_ns * share / shares;
}

static void read_header(struct fuzz_input *input, struct swarm_plan *plan, uint32_t *seed)
{
    uint8_t bits = fuzz_u8(input), every = fuzz_u8(input);

    *seed = fuzz_u8(input);
    *seed += 256u * fuzz_u8(input);
    snprintf(scenario.protocol.dialect, sizeof(scenario.protocol.dialect), "%s",
             dialect_of(every >> 4));
    plan->every = every & 8 ? 1u << (every & 7) : 0; /* 0: chosen */
    plan->guests = 1 + (bits & 1);
    plan->order = bits >> 1 & 7;
    plan->costs = bits >> 4 & 3;
    plan->sockets = bits & 0x40 ? 48 : 4 + (*seed & 7);
    plan->rest_ns = 100001 + UINT64_C(20000) * fuzz_u8(input);
    plan->delay_ns = scaled(fuzz_u8(input));
    plan->rate_bytes_per_s = UINT64_C(10000) * scaled(fuzz_u8(input));
    plan->loss_ppm = fuzz_u8(input) * 400;
    plan->segment_bytes = scaled(fuzz_u8(input));
    plan->buffer_bytes = scaled(fuzz_u8(input));
}

/* Each connection: whose it is, who opens it and how, and when; none if the first byte is even. */
static void read_conns(struct fuzz_input *input, struct swarm_plan *plan)
{
    for (uint32_t i = 0; i < SWARM_CONNS; i++) {
        uint8_t bits = fuzz_u8(input);
        uint64_t at_ns = CONN_LEAST_NS + some_time(plan, fuzz_u8(input), 256);

        plan->owner[i] = bits >> 1 & 1;
        plan->passive[i] = bits & 4;
        plan->refused[i] = (bits & 0xf8) == 0xf8;
        plan->patient[i] = bits & 8;
        if (!(bits & 1))
            continue;
        struct swarm_op *op = &plan->ops[plan->op_count];
        op[0] = (struct swarm_op){CONN_LEAST_NS, SWARM_LISTEN, 0, i, 0};
        op[1] = (struct swarm_op){at_ns, SWARM_ACCEPT, 0, i, 0};
        op[2] = (struct swarm_op){at_ns, SWARM_CONNECT, 0, i, 0};
        plan->op_count += 3; /* the first two are left out where the guest opens it */
    }
}

/* What, to which connection, when, and how much; or, if the second byte is 128 or more, to the
 * connection of the event before, soon after it or at once. */
static void read_event(struct fuzz_input *input, struct swarm_plan *plan)
{
    struct swarm_op *op = &plan->ops[plan->op_count++];

    op->kind = (enum swarm_kind)fuzz_below(input, SWARM_KIND_COUNT);
    op->conn = fuzz_u8(input);
    uint32_t high = fuzz_u8(input), low = fuzz_u8(input);
    op->at_ns = some_time(plan, 256 * high + low, 65536);
    op->amount = scaled(fuzz_u8(input));
    if (op->conn < 128 || plan->op_count == 1)
        return;
    op->conn = op[-1].conn;
    op->at_ns = op[-1].at_ns + (high < 128 ? 0 : 100 * low);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct swarm_plan plan;
    static struct swarm_outcome outcome;
    struct fuzz_input input = {data, size};
    uint32_t seed;

    if (model.name[0] == '\0')
        load();
    memset(&plan, 0, sizeof(plan));
    read_header(&input, &plan, &seed);
    read_conns(&input, &plan);
    for (uint32_t left = fuzz_u8(&input); left > 0 && input.size > 0; left--)
        if (plan.op_count < SWARM_OPS_MAX)
            read_event(&input, &plan);
    swarm_plan_fit(&plan, &scenario);
    swarm_run(&(struct swarm_config){.scenario = &scenario,
                                     .costs = &model.costs,
                                     .seed = seed,
                                     .plan = &plan,
                                     .choices = plan.every ? NULL : data + size - input.size,
                                     .choice_count = input.size},
              &outcome);
    FUZZ_CHECK(!outcome.failed, "%s: %s", outcome.what, outcome.text);
    return 0;
}
