/* SPDX-License-Identifier: GPL-2.0-or-later
 * Events on their way from event_emit() to the clients: time stamps and rate limits.
 */
#pragma once

void events_start(void); /* hears event_emit() from now on. [main, before threads] */
void events_stop(void);  /* [main] */
