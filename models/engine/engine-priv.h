/* SPDX-License-Identifier: GPL-2.0-or-later
 * The engines of this build, for the table in engine.c.
 */
#pragma once

#include "models/engine.h"

extern const EngineOps engine_script_ops;
#ifdef HAVE_ENGINE_A64
extern const EngineOps engine_a64_ops;
#endif
#ifdef HAVE_ENGINE_KVM
extern const EngineOps engine_kvm_ops;
#endif
