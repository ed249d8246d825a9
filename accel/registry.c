/* SPDX-License-Identifier: GPL-2.0-or-later
 * From the text of -accel to an opened accelerator: the table of types, the parsing of their
 * properties, help, and several -accel tried in order.
 */
#include <string.h>

#include "accel-priv.h"
#include "accel/accel.h"
#include "util/error.h"
#include "util/keyval.h"
#include "util/props.h"
#include "util/target.h"

/* In the order that -accel help lists them. */
static GType (*const accel_types[])(void) = {
    accel_acrn_get_type,
    accel_gunyah_get_type,
    accel_kvm_get_type,
    accel_qtest_get_type,
#ifdef HAVE_XEN
    accel_xen_get_type,
#endif
    NULL,
};

static GPtrArray *registered; /* of AccelClass, referenced for ever */

static AccelClass *find_class(const char *name)
{
    for (unsigned i = 0; registered != NULL && i < registered->len; i++) {
        AccelClass *klass = g_ptr_array_index(registered, i);

        if (strcmp(klass->name, name) == 0 && target_offers(klass->targets)) {
            return klass;
        }
    }
    return NULL;
}

static void register_class(AccelClass *klass)
{
    bool irqchip = klass->caps & ACCEL_CAP_IRQCHIP;

    g_assert(klass->name != NULL && klass->summary != NULL);
    g_assert(klass->open != NULL && klass->close != NULL);
    g_assert(klass->setup != NULL && klass->teardown != NULL);
    g_assert(klass->start != NULL);
    g_assert(irqchip == (klass->irq_connect != NULL) && irqchip == (klass->irq_set != NULL));
    g_assert((klass->caps & ACCEL_CAP_VCPUS) || klass->vcpu_run == NULL);
    g_assert(!(klass->caps & ACCEL_CAP_VCPUS) || !(klass->caps & ACCEL_CAP_RESET_IN_PLACE) ||
             klass->reset != NULL);
    g_assert((klass->fdt_fixup == NULL) == (klass->dtb_room == NULL));
    g_ptr_array_add(registered, klass);
}

static void register_builtin(void)
{
    if (registered != NULL) {
        return;
    }
    registered = g_ptr_array_new();
    for (unsigned i = 0; accel_types[i] != NULL; i++) {
        register_class(g_type_class_ref(accel_types[i]()));
    }
}

void accel_register_type(GType type)
{
    register_builtin();
    register_class(g_type_class_ref(type));
}

static AccelClass *class_by_name(const char *name, GError **error)
{
    g_autoptr(GPtrArray) names = NULL;
    AccelClass *klass;

    register_builtin();
    klass = find_class(name);
    if (klass != NULL) {
        return klass;
    }
    names = g_ptr_array_new();
    for (unsigned i = 0; i < registered->len; i++) {
        AccelClass *other = g_ptr_array_index(registered, i);

        if (target_offers(other->targets)) {
            g_ptr_array_add(names, (void *)other->name);
        }
    }
    g_ptr_array_add(names, NULL);
    error_set_unknown(error, "accelerator", name, (const char *const *)names->pdata);
    return NULL;
}

/* A closed accelerator with its properties set. *unknown, if not NULL: takes a name that is no
 * accelerator of this build, without an error. */
static Accel *from_text(const char *text, bool *unknown, GError **error)
{
    g_autoptr(KeyVal) kv = keyval_parse(text, "accel", error);
    g_autoptr(Accel) accel = NULL;
    AccelClass *klass;
    const char *name;

    if (kv == NULL) {
        return NULL;
    }
    name = keyval_take(kv, "accel");
    if (name == NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_MISSING, "no accelerator is named");
        return NULL;
    }
    register_builtin();
    klass = find_class(name);
    if (klass == NULL && unknown != NULL) {
        *unknown = true;
        return NULL;
    }
    klass = class_by_name(name, error);
    if (klass == NULL) {
        return NULL;
    }
    accel = g_object_new(G_TYPE_FROM_CLASS(klass), NULL);
    for (unsigned i = 0; i < kv->pairs->len; i++) {
        const KeyValPair *pair = g_ptr_array_index(kv->pairs, i);

        if (!pair->used && !props_set_str(G_OBJECT(accel), pair->key, pair->value, error)) {
            return NULL;
        }
    }
    return g_steal_pointer(&accel);
}

static Accel *from_option(const char *text, bool *unknown, GError **error)
{
    Accel *accel = from_text(text, unknown, error);

    if (accel == NULL && (unknown == NULL || !*unknown)) {
        g_prefix_error(error, "-accel %s: ", text);
    }
    return accel;
}

bool accel_option_check(const char *text, GError **error)
{
    bool unknown = false;
    g_autoptr(Accel) accel = from_option(text, &unknown, error);

    return accel != NULL || unknown;
}

Accel *accel_create(const char *const *texts, GError **error)
{
    g_autoptr(GPtrArray) candidates = g_ptr_array_new_with_free_func(g_object_unref);
    g_autoptr(GString) failures = g_string_new(NULL);
    GError *last = NULL;

    for (unsigned i = 0; texts[i] != NULL; i++) {
        bool unknown = false;
        Accel *accel = from_option(texts[i], texts[1] != NULL ? &unknown : NULL, error);

        if (unknown) {
            g_message("invalid accelerator %s", texts[i]);
            continue;
        }
        if (accel == NULL) {
            return NULL;
        }
        g_ptr_array_add(candidates, accel);
    }
    for (unsigned i = 0; i < candidates->len; i++) {
        Accel *accel = g_ptr_array_index(candidates, i);

        g_clear_error(&last);
        if (accel_open(accel, &last)) {
            return g_object_ref(accel);
        }
        g_string_append_printf(failures, "%s%s", i > 0 ? "; " : "", last->message);
    }
    if (last == NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNKNOWN,
                    "none of the accelerators that were named is part of this build ('-accel help' "
                    "lists those that are)");
        return NULL;
    }
    g_set_error(error, last->domain, last->code, "%s", failures->str);
    g_error_free(last);
    return NULL;
}

char *accel_help(void)
{
    GString *out = g_string_new("Accelerators of this build:\n");

    register_builtin();
    for (unsigned i = 0; i < registered->len; i++) {
        AccelClass *klass = g_ptr_array_index(registered, i);

        if (target_offers(klass->targets)) {
            g_string_append_printf(out, "%-10s %s\n", klass->name, klass->summary);
        }
    }
    return g_string_free(out, FALSE);
}

char *accel_type_help(const char *name, GError **error)
{
    AccelClass *klass = class_by_name(name, error);
    g_autofree char *rows = NULL;

    if (klass == NULL) {
        return NULL;
    }
    rows = props_help(G_OBJECT_CLASS(klass));
    return g_strdup_printf("%s: %s\n%s", klass->name, klass->summary, rows);
}
