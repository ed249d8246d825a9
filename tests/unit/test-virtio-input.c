/* SPDX-License-Identifier: GPL-2.0-or-later
 * Input devices (virtio 1.2, section 5.8).
 */
#include <linux/input-event-codes.h>
#include <string.h>

#include "display/input.h"
#include "virtio-driver.h"

enum {
    EVENTS,
    STATUS,
    C_SELECT = R_CONFIG,
    C_SUBSEL = R_CONFIG + 1,
    C_SIZE = R_CONFIG + 2,
    C_DATA = R_CONFIG + 8,
    ID_NAME = 1,
    ID_SERIAL,
    ID_DEVIDS,
    PROP_BITS = 0x10,
    EV_BITS,
    ABS_INFO,
};

static Guest *input_guest(const GuestKind *kind, const char *type, const char *const *props)
{
    Guest *g = guest_new(kind);

    guest_plug_ok(g, type, props);
    guest_start(g, UINT64_MAX);
    return g;
}

static uint8_t config8(Guest *g, unsigned at)
{
    uint64_t value;

    g_assert_cmpuint(address_space_ld(g->as, MMIO_BASE + at, 1, &value), ==, MEMTX_OK);
    return value;
}

/* The size of the answer. */
static unsigned ask(Guest *g, uint8_t select, uint8_t subsel)
{
    address_space_st(g->as, MMIO_BASE + C_SELECT, 1, select);
    address_space_st(g->as, MMIO_BASE + C_SUBSEL, 1, subsel);
    return config8(g, C_SIZE);
}

static void check_string(Guest *g, uint8_t select, const char *expected)
{
    g_assert_cmpuint(ask(g, select, 0), ==, strlen(expected));
    for (unsigned i = 0; i < strlen(expected); i++) {
        g_assert_cmpint(config8(g, C_DATA + i), ==, expected[i]);
    }
}

static bool has_code(Guest *g, uint8_t type, unsigned code)
{
    return code / 8 < ask(g, EV_BITS, type) && (config8(g, C_DATA + code / 8) & 1 << code % 8) != 0;
}

static void offer(Guest *g, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        guest_publish(g, EVENTS,
                      guest_chain(g, EVENTS, &(Buf){ guest_alloc(g, 8, 8), 8, true }, 1));
    }
    guest_notify(g, EVENTS);
}

static void expect(Guest *g, unsigned type, unsigned code, int32_t value)
{
    Used used = guest_wait(g, EVENTS);
    uint64_t at;
    const uint8_t *e;

    memcpy(&at, guest_ptr(g, g->queues[EVENTS].desc + used.id * 16), 8);
    e = guest_ptr(g, at);
    g_assert_cmpuint(used.len, ==, 8);
    g_assert_cmpuint(e[0] | e[1] << 8, ==, type);
    g_assert_cmpuint(e[2] | e[3] << 8, ==, code);
    g_assert_cmpint((int32_t)(e[4] | e[5] << 8 | e[6] << 16 | (uint32_t)e[7] << 24), ==, value);
}

static void test_says_what_it_is(gconstpointer kind)
{
    Guest *g = input_guest(kind, "virtio-keyboard-device", (const char *[]){ "serial=s1", NULL });

    g_assert_cmpuint(guest_rd(g, R_DEVICE_ID), ==, 18);
    check_string(g, ID_NAME, "Humpy Virtio Keyboard");
    check_string(g, ID_SERIAL, "s1");
    g_assert_cmpuint(ask(g, ID_DEVIDS, 0), ==, 8);
    g_assert_cmpuint(config8(g, C_DATA), ==, 6); /* BUS_VIRTUAL */
    g_assert_true(has_code(g, EV_KEY, KEY_A));
    g_assert_true(has_code(g, EV_REP, REP_DELAY));
    g_assert_true(has_code(g, EV_LED, LED_CAPSL));
    g_assert_false(has_code(g, EV_KEY, BTN_LEFT));
    g_assert_cmpuint(ask(g, EV_BITS, EV_REL), ==, 0);
    g_assert_cmpuint(ask(g, PROP_BITS, 0), ==, 0);
    g_assert_cmpuint(ask(g, ABS_INFO, ABS_X), ==, 0);
    g_assert_cmpuint(ask(g, 0xff, 0xff), ==, 0);
    guest_free(g);
}

static void test_tablet_has_a_range(void)
{
    Guest *g = input_guest(&guest_kinds[0], "virtio-tablet-device", NULL);

    g_assert_true(has_code(g, EV_ABS, ABS_Y));
    g_assert_true(has_code(g, EV_KEY, BTN_LEFT));
    g_assert_cmpuint(ask(g, ABS_INFO, ABS_X), ==, 20);
    g_assert_cmpuint(guest_rd(g, C_DATA), ==, 0);
    g_assert_cmpuint(guest_rd(g, C_DATA + 4), ==, 0x7fff);
    g_assert_cmpuint(ask(g, ABS_INFO, ABS_Z), ==, 0);
    guest_free(g);
}

static void test_events_arrive_as_reports(gconstpointer kind)
{
    Guest *g = input_guest(kind, "virtio-mouse-device", NULL);

    offer(g, 3);
    input_send((InputEvent[]){ { EV_REL, REL_X, -5 }, { EV_REL, REL_Y, 7 } }, 2);
    expect(g, EV_REL, REL_X, -5);
    expect(g, EV_REL, REL_Y, 7);
    expect(g, EV_SYN, SYN_REPORT, 0);
    input_send(&(InputEvent){ EV_KEY, BTN_LEFT, 1 }, 1); /* waits for buffers */
    offer(g, 2);
    expect(g, EV_KEY, BTN_LEFT, 1);
    expect(g, EV_SYN, SYN_REPORT, 0);
    guest_free(g);
}

static void test_whole_reports_or_nothing(void)
{
    Guest *g = input_guest(&guest_kinds[0], "virtio-keyboard-device", NULL);
    unsigned n = 0;

    for (unsigned i = 0; i < 1000; i++) { /* nobody takes them */
        input_send(&(InputEvent){ EV_KEY, KEY_A, i % 2 }, 1);
    }
    offer(g, 64);
    for (;;) {
        guest_barrier(g);
        if (guest_used_idx(g, EVENTS) == g->queues[EVENTS].used_taken) {
            break;
        }
        expect(g, EV_KEY, KEY_A, n % 2);
        expect(g, EV_SYN, SYN_REPORT, 0);
        n++;
        offer(g, 2);
    }
    g_assert_cmpuint(n, >, 100);
    g_assert_cmpuint(n, <, 300);
    guest_free(g);
}

static void test_nothing_is_kept_over_a_reset(void)
{
    Guest *g = input_guest(&guest_kinds[0], "virtio-keyboard-device", NULL);

    input_send(&(InputEvent){ EV_KEY, KEY_A, 1 }, 1);
    guest_wr(g, R_STATUS, 0);
    input_send(&(InputEvent){ EV_KEY, KEY_B, 1 }, 1);
    guest_start(g, UINT64_MAX);
    offer(g, 2);
    input_send(&(InputEvent){ EV_KEY, KEY_C, 1 }, 1);
    expect(g, EV_KEY, KEY_C, 1);
    guest_free(g);
}

static void test_odd_buffers(void)
{
    Guest *g = input_guest(&guest_kinds[0], "virtio-keyboard-device", NULL);
    uint64_t at = guest_alloc(g, 64, 8);

    guest_submit(g, STATUS, &(Buf){ at, 3, false }, 1);
    guest_wait(g, STATUS);
    guest_submit(g, STATUS, &(Buf){ at, 64, true }, 1);
    g_assert_cmpuint(guest_wait(g, STATUS).len, ==, 0);
    guest_submit(g, EVENTS, &(Buf){ at, 7, true }, 1);
    guest_wait_isr(g, ISR_CONFIG);
    g_assert_true(guest_rd(g, R_STATUS) & S_NEEDS_RESET);
    guest_free(g);
}

static void test_keys_by_name_and_number(void)
{
    g_assert_cmpuint(input_key_by_name("ret"), ==, KEY_ENTER);
    g_assert_cmpuint(input_key_by_name("Ret"), ==, KEY_RESERVED);
    g_assert_cmpuint(input_key_by_number(0x9d), ==, KEY_RIGHTCTRL);
    g_assert_cmpuint(input_key_by_number(0), ==, KEY_RESERVED);
    g_assert_cmpuint(input_key_by_number(0x11d), ==, KEY_RESERVED);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    guest_add_test("/virtio-input", "says-what-it-is", test_says_what_it_is);
    guest_add_test("/virtio-input", "events-arrive-as-reports", test_events_arrive_as_reports);
    g_test_add_func("/virtio-input/tablet-has-a-range", test_tablet_has_a_range);
    g_test_add_func("/virtio-input/whole-reports-or-nothing", test_whole_reports_or_nothing);
    g_test_add_func("/virtio-input/nothing-is-kept-over-a-reset",
                    test_nothing_is_kept_over_a_reset);
    g_test_add_func("/virtio-input/odd-buffers", test_odd_buffers);
    g_test_add_func("/virtio-input/keys-by-name-and-number", test_keys_by_name_and_number);
    return g_test_run();
}
