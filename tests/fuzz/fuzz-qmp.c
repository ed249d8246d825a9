/* SPDX-License-Identifier: GPL-2.0-or-later
 * A hostile QMP client: bytes through the JSON stream, in pieces whose sizes the first bytes
 * choose, and every request that comes out checked against the schema. Nothing is run but what any
 * thread may run.
 */
#include "monitor/json-stream.h"
#include "monitor/qmp-request.h"
#include "vm.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void take(void *opaque, JsonNode *node, GError *error)
{
    static const QmpRules rules = { .negotiated = true, .oob = true };
    g_autoptr(QmpRequest) request = qmp_request_new(node, error);
    g_autoptr(GError) cause = NULL;
    const QmpCommand *command = qmp_request_check(request, &rules, &cause);
    g_autoptr(JsonNode) reply = NULL;
    g_autofree char *text = NULL;
    size_t len;

    g_assert_true((command == NULL) == (cause != NULL));
    if (command == NULL) {
        reply = qmp_error_reply(request, cause);
    } else if (command->flags & QMP_ANY_THREAD) {
        reply = qmp_request_run(request, &rules);
    } else {
        return;
    }
    text = qmp_text(reply, false, &len);
    g_assert_true(g_utf8_validate(text, len, NULL));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t step = size > 0 ? 1 + data[0] % 64 : 1;
    g_autoptr(JsonStream) s = NULL;

    if (vm_config() == NULL) {
        vm_set_config(vm_config_new());
    }
    s = json_stream_new(take, NULL);
    for (size_t at = 1; at < size; at += step) {
        json_stream_feed(s, data + at, MIN(step, size - at));
    }
    json_stream_end(s);
    return 0;
}
