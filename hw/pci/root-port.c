/* SPDX-License-Identifier: GPL-2.0-or-later
 * "pcie-root-port": a PCI Express root port with one slot behind it, in and out of which devices
 * can be plugged while the guest runs (PCI Express Base 2.0, section 6.7): presence, attention
 * button, power controller, indicators, link state and the hot-plug interrupt.
 *
 * A device that comes while the slot has no power is hidden until the guest switches it on.
 * device_del presses the attention button; when the guest has then switched the power off, the
 * device goes, in the main thread.
 */
#include <linux/pci_regs.h>

#include "hw/core/machine.h"
#include "hw/pci/gpex.h"
#include "hw/pci/pci-ids.h"
#include "pci-bridge.h"
#include "util/error.h"

enum {
    CONTROL_WRITABLE = PCI_EXP_SLTCTL_ABPE | PCI_EXP_SLTCTL_PFDE | PCI_EXP_SLTCTL_MRLSCE |
                       PCI_EXP_SLTCTL_PDCE | PCI_EXP_SLTCTL_CCIE | PCI_EXP_SLTCTL_HPIE |
                       PCI_EXP_SLTCTL_AIC | PCI_EXP_SLTCTL_PIC | PCI_EXP_SLTCTL_PCC |
                       PCI_EXP_SLTCTL_DLLSCE,
    STATUS_EVENTS = PCI_EXP_SLTSTA_ABP | PCI_EXP_SLTSTA_PFD | PCI_EXP_SLTSTA_MRLSC |
                    PCI_EXP_SLTSTA_PDC | PCI_EXP_SLTSTA_CC | PCI_EXP_SLTSTA_DLLSC,
    /* Events whose enable bit has the same place in the control register; DLLSC's has not. */
    SAME_PLACE = STATUS_EVENTS & ~PCI_EXP_SLTSTA_DLLSC,
    MAX_SLOT = 0x1fff,
};

typedef struct {
    PciDevice parent;
    PciBridge bridge;
    uint32_t chassis, slot, port; /* properties */
    bool hotplug;

    unsigned exp; /* offset of the PCI Express capability */
    /* [device lock] */
    uint16_t control; /* slot control before the write that is being looked at */
    bool asked;       /* device_del waits for the guest to switch the power off */
    guint removal;    /* the source that will take the device away, or 0 */
} RootPort;

typedef struct {
    PciDeviceClass parent_class;
} RootPortClass;

#define ROOT_PORT(obj) ((RootPort *)(void *)(obj))

DEVICE_DEFINE_TYPE(RootPort, root_port, "pcie-root-port", TYPE_PCI_DEVICE)

/* ---- registers, with the device's lock ---- */

static uint16_t word(RootPort *s, unsigned reg)
{
    return pci_config_word(&s->parent, s->exp + reg);
}

static void set_word(RootPort *s, unsigned reg, uint16_t value)
{
    pci_set_word(pci_config(&s->parent) + s->exp + reg, value);
}

static void update_irq(RootPort *s)
{
    uint16_t status = word(s, PCI_EXP_SLTSTA), control = word(s, PCI_EXP_SLTCTL);
    bool wanted = (status & control & SAME_PLACE) != 0 ||
                  ((status & PCI_EXP_SLTSTA_DLLSC) != 0 && (control & PCI_EXP_SLTCTL_DLLSCE) != 0);

    pci_set_irq(&s->parent, wanted && (control & PCI_EXP_SLTCTL_HPIE) != 0);
}

static void event(RootPort *s, uint16_t bits)
{
    set_word(s, PCI_EXP_SLTSTA, word(s, PCI_EXP_SLTSTA) | bits);
    update_irq(s);
}

static bool has_power(RootPort *s)
{
    return (word(s, PCI_EXP_SLTCTL) & PCI_EXP_SLTCTL_PCC) == PCI_EXP_SLTCTL_PWR_ON;
}

/* Presence and link as they are. TRUE: the link went up or down. */
static bool set_state(RootPort *s, bool present)
{
    uint16_t status = word(s, PCI_EXP_SLTSTA) & ~PCI_EXP_SLTSTA_PDS;
    uint16_t link = word(s, PCI_EXP_LNKSTA), before = link;

    link &= ~(PCI_EXP_LNKSTA_DLLLA | PCI_EXP_LNKSTA_NLW | PCI_EXP_LNKSTA_CLS);
    if (present && has_power(s)) {
        link |= PCI_EXP_LNKSTA_DLLLA | PCI_EXP_LNKSTA_NLW_X1 | PCI_EXP_LNKSTA_CLS_2_5GB;
    }
    set_word(s, PCI_EXP_SLTSTA, status | (present ? PCI_EXP_SLTSTA_PDS : 0));
    set_word(s, PCI_EXP_LNKSTA, link);
    return link != before;
}

static bool is_present(RootPort *s)
{
    return (word(s, PCI_EXP_SLTSTA) & PCI_EXP_SLTSTA_PDS) != 0;
}

/* ---- taking devices away ---- */

static gboolean remove_devices(gpointer opaque)
{
    RootPort *s = opaque;
    Bus *bus = HUMPY_BUS(s->bridge.bus);

    memory_lock(device_lock(HUMPY_DEVICE(s)));
    s->removal = 0;
    memory_unlock(device_lock(HUMPY_DEVICE(s)));
    while (bus_n_devices(bus) > 0) {
        bus_remove_device(bus, bus_device(bus, bus_n_devices(bus) - 1));
    }
    return G_SOURCE_REMOVE;
}

/* [device lock] */
static void schedule_removal(RootPort *s)
{
    s->asked = false;
    if (s->removal == 0) {
        s->removal = g_idle_add(remove_devices, s);
    }
}

static bool request_unplug(PciDevice *dev, Device *child, GError **error)
{
    RootPort *s = ROOT_PORT(dev);
    bool again;

    memory_lock(device_lock(HUMPY_DEVICE(dev)));
    again = s->asked || s->removal != 0;
    if (!again && !has_power(s)) {
        schedule_removal(s);
    } else if (!again) {
        s->asked = true;
        event(s, PCI_EXP_SLTSTA_ABP);
    }
    memory_unlock(device_lock(HUMPY_DEVICE(dev)));
    if (again) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT,
                    "Device %s is already in the process of unplug",
                    device_id(child) != NULL ? device_id(child) : device_type(child));
    }
    return !again;
}

/* ---- power ---- */

static void show_devices(RootPort *s, bool visible)
{
    for (unsigned fn = 0; fn < 8; fn++) {
        PciDevice *dev = pci_bus_get_plugged(s->bridge.bus, PCI_MAKE_DEVFN(0, fn));

        if (dev != NULL) {
            if (!visible) {
                pci_device_reset_function(dev);
            }
            pci_device_show(dev, visible);
            g_object_unref(dev);
        }
    }
}

/* [device lock] The guest wrote slot control. Every write is a command (section 6.7.3.2). */
static void control_written(RootPort *s)
{
    uint16_t old = s->control, now = word(s, PCI_EXP_SLTCTL);
    bool was_on = (old & PCI_EXP_SLTCTL_PCC) == PCI_EXP_SLTCTL_PWR_ON;

    s->control = now;
    if ((old & PCI_EXP_SLTCTL_PIC) == PCI_EXP_SLTCTL_PWR_IND_BLINK &&
        (now & PCI_EXP_SLTCTL_PIC) == PCI_EXP_SLTCTL_PWR_IND_ON) {
        s->asked = false; /* the guest keeps the device after all */
    }
    if (was_on != has_power(s)) {
        if (set_state(s, is_present(s))) {
            event(s, PCI_EXP_SLTSTA_DLLSC);
        }
        show_devices(s, has_power(s));
        if (!has_power(s) && s->asked) {
            schedule_removal(s);
        }
    }
    event(s, PCI_EXP_SLTSTA_CC);
}

static void config_written(PciDevice *dev, unsigned addr, unsigned len)
{
    RootPort *s = ROOT_PORT(dev);
    unsigned control = s->exp + PCI_EXP_SLTCTL, status = s->exp + PCI_EXP_SLTSTA;

    pci_bridge_config_written(&s->bridge, addr, len);
    if (!s->hotplug) {
        return;
    }
    if (addr < control + 2 && addr + len > control) {
        control_written(s);
    }
    if (addr < status + 2 && addr + len > status) {
        update_irq(s);
    }
}

/* ---- the slot's contents ---- */

static void child_plugged(PciDevice *dev, PciDevice *child)
{
    RootPort *s = ROOT_PORT(dev);
    bool hot = machine_has_started(), first = PCI_FN_OF(pci_device_devfn(child)) == 0;

    memory_lock(device_lock(HUMPY_DEVICE(dev)));
    if (!hot) { /* before the guest started: as if it had always been there */
        s->control = (s->control & ~(PCI_EXP_SLTCTL_PCC | PCI_EXP_SLTCTL_PIC)) |
                     PCI_EXP_SLTCTL_PWR_ON | PCI_EXP_SLTCTL_PWR_IND_ON;
        set_word(s, PCI_EXP_SLTCTL, s->control);
    }
    pci_device_show(child, has_power(s));
    if (first && set_state(s, true) && hot) {
        event(s, PCI_EXP_SLTSTA_DLLSC);
    }
    if (first && hot) { /* as somebody would who plugs a card: a guest may wait for the button */
        event(s, PCI_EXP_SLTSTA_PDC | PCI_EXP_SLTSTA_ABP);
    }
    memory_unlock(device_lock(HUMPY_DEVICE(dev)));
}

static void child_detached(PciDevice *dev, PciDevice *child)
{
    RootPort *s = ROOT_PORT(dev);

    if (PCI_FN_OF(pci_device_devfn(child)) != 0 || !device_is_realized(HUMPY_DEVICE(dev))) {
        return;
    }
    memory_lock(device_lock(HUMPY_DEVICE(dev)));
    s->asked = false;
    if (is_present(s)) { /* not if its realize failed */
        if (set_state(s, false)) {
            event(s, PCI_EXP_SLTSTA_DLLSC);
        }
        event(s, PCI_EXP_SLTSTA_PDC);
    }
    memory_unlock(device_lock(HUMPY_DEVICE(dev)));
}

/* ---- life ---- */

static void root_port_reset(PciDevice *dev)
{
    RootPort *s = ROOT_PORT(dev);
    bool present = is_present(s);

    pci_bridge_reset(&s->bridge);
    if (s->asked) {
        schedule_removal(s);
    }
    s->control = PCI_EXP_SLTCTL_ATTN_IND_OFF;
    s->control |= present ? PCI_EXP_SLTCTL_PWR_ON | PCI_EXP_SLTCTL_PWR_IND_ON
                          : PCI_EXP_SLTCTL_PWR_OFF | PCI_EXP_SLTCTL_PWR_IND_OFF;
    set_word(s, PCI_EXP_SLTCTL, s->control);
    set_word(s, PCI_EXP_SLTSTA, present ? PCI_EXP_SLTSTA_PDS : 0);
    set_state(s, present);
    show_devices(s, present);
}

static void init_slot(RootPort *s)
{
    uint8_t *cap = pci_config(&s->parent) + s->exp, *wmask = pci_wmask(&s->parent) + s->exp;
    uint32_t caps = s->slot << 19;

    if (s->hotplug) {
        caps |= PCI_EXP_SLTCAP_ABP | PCI_EXP_SLTCAP_PCP | PCI_EXP_SLTCAP_AIP | PCI_EXP_SLTCAP_PIP |
                PCI_EXP_SLTCAP_HPC;
        pci_set_word(wmask + PCI_EXP_SLTCTL, CONTROL_WRITABLE);
        pci_set_word(pci_w1cmask(&s->parent) + s->exp + PCI_EXP_SLTSTA, STATUS_EVENTS);
    }
    pci_set_word(cap + PCI_EXP_FLAGS,
                 pci_config_word(&s->parent, s->exp + PCI_EXP_FLAGS) | PCI_EXP_FLAGS_SLOT);
    pci_set_long(cap + PCI_EXP_SLTCAP, caps);
    pci_set_long(cap + PCI_EXP_LNKCAP, pci_config_long(&s->parent, s->exp + PCI_EXP_LNKCAP) |
                                           PCI_EXP_LNKCAP_DLLLARC | s->port << 24);
    pci_set_word(wmask + PCI_EXP_LNKCTL, PCI_EXP_LNKCTL_ASPMC | PCI_EXP_LNKCTL_CCC);
    pci_set_word(wmask + PCI_EXP_RTCTL, PCI_EXP_RTCTL_PMEIE | PCI_EXP_RTCTL_SECEE |
                                            PCI_EXP_RTCTL_SENFEE | PCI_EXP_RTCTL_SEFEE);
}

static bool root_port_realize(PciDevice *dev, GError **error)
{
    RootPort *s = ROOT_PORT(dev);

    if (!pci_bus_is_root(pci_device_bus(dev))) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT,
                    "a root port sits on the root bus, not on '%s'",
                    bus_name(HUMPY_BUS(pci_device_bus(dev))));
        return false;
    }
    /* INTB, because what is behind the port comes out on the line of the port's own INTA: a guest
     * that removes the device inside its hot-plug interrupt waits there for that line's handlers.
     */
    pci_use_pin(dev, 2);
    s->exp = pci_add_express_capability(dev, PCI_EXP_TYPE_ROOT_PORT);
    init_slot(s);
    pci_bridge_init(&s->bridge, dev, device_id(HUMPY_DEVICE(dev)), true);
    bus_set_hotpluggable(HUMPY_BUS(s->bridge.bus), s->hotplug);
    return true;
}

static void root_port_unrealize(PciDevice *dev)
{
    RootPort *s = ROOT_PORT(dev);

    if (s->removal != 0) {
        g_source_remove(s->removal);
        s->removal = 0;
    }
    pci_bridge_finish(&s->bridge);
}

static void root_port_init(RootPort *s)
{
}

static const Prop root_port_props[] = {
    PROP_U32("port", RootPort, port, 0, 0, UINT8_MAX, "Number of the port's link"),
    PROP_U32("chassis", RootPort, chassis, 0, 0, UINT8_MAX, "Number of the chassis"),
    PROP_U32("slot", RootPort, slot, 0, 0, MAX_SLOT, "Number of the slot, as the guest names it"),
    PROP_BOOL("hotplug", RootPort, hotplug, true, "Devices may come and go while the guest runs"),
};

static void root_port_class_init(RootPortClass *klass)
{
    DeviceClass *dc = HUMPY_DEVICE_CLASS(klass);
    PciDeviceClass *pc = HUMPY_PCI_DEVICE_CLASS(klass);

    props_install(G_OBJECT_CLASS(klass), root_port_props, G_N_ELEMENTS(root_port_props));
    dc->summary = "PCI Express root port";
    dc->user_creatable = true;
    dc->not_hotpluggable = true;
    pc->vendor_id = PCI_VENDOR_REDHAT;
    pc->device_id = PCI_DEVICE_ROOT_PORT;
    pc->class_id = PCI_CLASS_PCI_BRIDGE;
    pc->bridge = true;
    pc->realize = root_port_realize;
    pc->unrealize = root_port_unrealize;
    pc->reset = root_port_reset;
    pc->config_written = config_written;
    pc->request_unplug = request_unplug;
    pc->child_plugged = child_plugged;
    pc->child_detached = child_detached;
}
