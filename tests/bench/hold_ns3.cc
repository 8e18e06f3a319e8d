/*
 * hold_ns3 PENDING EVENTS: the hold model on the core of ns-3, with the fastest of its queues. See
 * hold.h. Built by tools/bench alone.
 */
extern "C" {
#include "tests/bench/hold.h"
}

#include <ns3/object-factory.h>
#include <ns3/simulator.h>

static struct hold hold;

static void fire(uint64_t number);

static void schedule(uint64_t number)
{
    ns3::Simulator::Schedule(ns3::Time(int64_t{hold_delay_ns(&hold)}), fire, number);
}

static void fire(uint64_t number)
{
    hold_fired(&hold, number);
    schedule(number);
    if (hold.left == 0)
        ns3::Simulator::Stop();
}

static void run(uint64_t events)
{
    hold.left = events;
    ns3::Simulator::Run();
}

int main(int argc, char **argv)
{
    ns3::ObjectFactory queue("ns3::PriorityQueueScheduler");

    hold_init(&hold, argc, argv);
    ns3::Simulator::SetScheduler(queue);
    for (uint64_t number = 0; number < hold.pending; number++)
        schedule(number);
    run(3 * uint64_t{hold.pending}); // until the first events are spread
    uint64_t began_ns = hold_host_ns();
    run(hold.events);
    hold_report(&hold, hold_host_ns() - began_ns, (uint64_t)ns3::Simulator::Now().GetNanoSeconds());
    ns3::Simulator::Destroy();
    return 0;
}
