
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Keys of the DOM as X keysyms.  Tables only.
 */

#ifndef _AGENT_KEYMAP_H_INCLUDED_
#define _AGENT_KEYMAP_H_INCLUDED_


#include <glib.h>


/*
 * The keysym of KeyboardEvent.key; code tells left from right and the keypad
 * from the rest.  0: not a key to inject ("Dead", "Process", unknown names).
 * *printable: it is one character, not a named key.
 */
guint32 agent_keysym(const char *key, const char *code, gboolean *printable);

/* What KeyboardEvent.code bears on a US keyboard, unshifted; 0: unknown. */
guint32 agent_keysym_us(const char *code);

/* Latin-1 maps to itself, the rest to 0x01000000 + code point; 0: control. */
guint32 agent_keysym_unicode(gunichar c);


#endif /* _AGENT_KEYMAP_H_INCLUDED_ */
