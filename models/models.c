/* SPDX-License-Identifier: GPL-2.0-or-later
 * The list of models; see include/models/models.h.
 */
#include "models/models.h"

#include "accel/hostdev.h"
#include "models/acrn-model.h"
#include "models/gunyah-model.h"
#include "models/xen-model.h"

void models_register(void)
{
    hostdev_register_model(GUNYAH_MODEL_PATH, &gunyah_model_ops);
    hostdev_register_model(GUNYAH_MODEL_CMA_PATH, &gunyah_model_ops);
    hostdev_register_model(ACRN_MODEL_PATH, &acrn_model_ops);
#ifdef HAVE_XEN
    xenlib_register_model(&xen_model_lib);
#endif
}
