/* SPDX-License-Identifier: GPL-2.0-or-later
 * A push button for a GPIO controller's input. Somebody (the machine's power button) raises the
 * input for a moment; the output stays high long enough for a guest that debounces it. What a press
 * means is in the machine's device tree.
 *
 * The input is driven and the timer fires in the main context; the lock is the device's.
 */
#include "hw/gpio/gpio-key.h"

#include "hw/core/clock.h"

enum { PRESS_MS = 100 };

struct _GpioKey {
    Device parent_instance;
    IrqLine *out[1];
    ClockTimer *release;
};

DEVICE_DEFINE_TYPE(GpioKey, gpio_key, "gpio-key", TYPE_DEVICE)

static void pressed(void *opaque, int n, int level)
{
    GpioKey *s = opaque;

    if (level) {
        irq_set(s->out[0], 1);
        clock_timer_arm(s->release, clock_now() + PRESS_MS * (CLOCK_NS_PER_SEC / 1000));
    }
}

static void released(void *opaque)
{
    irq_set(((GpioKey *)opaque)->out[0], 0);
}

static bool gpio_key_realize(Device *dev, GError **error)
{
    GpioKey *s = HUMPY_GPIO_KEY(dev);

    s->release = clock_timer_new(released, s);
    return true;
}

static void gpio_key_unrealize(Device *dev)
{
    g_clear_pointer(&HUMPY_GPIO_KEY(dev)->release, clock_timer_free);
}

static void gpio_key_reset(Device *dev)
{
    clock_timer_disarm(HUMPY_GPIO_KEY(dev)->release);
}

static void gpio_key_reset_exit(Device *dev)
{
    irq_set(HUMPY_GPIO_KEY(dev)->out[0], 0);
}

static void gpio_key_init(GpioKey *s)
{
    Device *dev = HUMPY_DEVICE(s);

    device_declare_inputs(dev, NULL, pressed, 1);
    device_declare_outputs(dev, NULL, s->out, G_N_ELEMENTS(s->out));
}

static void gpio_key_class_init(GpioKeyClass *klass)
{
    DeviceClass *dc = HUMPY_DEVICE_CLASS(klass);

    dc->summary = "Push button on a GPIO line";
    dc->bus = "System";
    dc->realize = gpio_key_realize;
    dc->unrealize = gpio_key_unrealize;
    dc->reset = gpio_key_reset;
    dc->reset_exit = gpio_key_reset_exit;
}
