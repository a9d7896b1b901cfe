
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * DOM keys to keysyms.
 */

#include "platform/keymap.h"
#include "tap.h"

#include <X11/XF86keysym.h>
#include <X11/keysym.h>


typedef struct {
    const char  *key;
    const char  *code;
    guint32      sym;
    gboolean     printable;
} agent_case_t;


static const agent_case_t  cases[] = {
    { "a", "KeyA", XK_a, TRUE },
    { "A", "KeyA", XK_A, TRUE },
    { " ", "Space", XK_space, TRUE },
    { "1", "Numpad1", XK_1, TRUE },
    { "\xc3\xa4", "Quote", XK_adiaeresis, TRUE },
    { "\xe2\x82\xac", "KeyE", 0x010020ac, TRUE },
    { "\xd0\xb6", "Semicolon", 0x01000436, TRUE },
    { "\xf0\x9f\x98\x80", "", 0x0101f600, TRUE },

    { "Enter", "Enter", XK_Return, FALSE },
    { "Enter", "NumpadEnter", XK_KP_Enter, FALSE },
    { "Shift", "ShiftLeft", XK_Shift_L, FALSE },
    { "Shift", "ShiftRight", XK_Shift_R, FALSE },
    { "Shift", "", XK_Shift_L, FALSE },
    { "Control", "ControlRight", XK_Control_R, FALSE },
    { "Alt", "AltLeft", XK_Alt_L, FALSE },
    { "Alt", "AltRight", XK_Alt_R, FALSE },
    { "AltGraph", "AltRight", XK_ISO_Level3_Shift, FALSE },
    { "Meta", "MetaLeft", XK_Super_L, FALSE },
    { "ArrowUp", "ArrowUp", XK_Up, FALSE },
    { "ArrowUp", "Numpad8", XK_Up, FALSE },
    { "PageDown", "PageDown", XK_Next, FALSE },
    { "F1", "F1", XK_F1, FALSE },
    { "F12", "F12", XK_F12, FALSE },
    { "F24", "F24", XK_F24, FALSE },
    { "AudioVolumeMute", "", XF86XK_AudioMute, FALSE },
    { "Unidentified", "KeyQ", XK_q, FALSE },

    { "F25", "F25", 0, FALSE },
    { "F", "", XK_F, TRUE },
    { "F01x", "", 0, FALSE },
    { "Dead", "Quote", 0, FALSE },
    { "Process", "KeyA", 0, FALSE },
    { "Unidentified", "", 0, FALSE },
    { "NoSuchKey", "", 0, FALSE },
    { "\x01", "", 0, TRUE },
    { "\xc2\x80", "", 0, TRUE }
};


static void
test_us(void)
{
    gsize  i;

    static const struct {
        const char  *code;
        guint32      sym;
    } codes[] = {
        { "KeyC", XK_c }, { "Digit7", XK_7 }, { "Numpad0", XK_0 },
        { "Slash", XK_slash }, { "Space", XK_space }, { "Keyc", 0 },
        { "KeyCC", 0 }, { "Digit", 0 }, { "Digit77", 0 }, { "", 0 },
        { "F1", 0 }
    };

    for (i = 0; i < G_N_ELEMENTS(codes); i++) {
        ok(agent_keysym_us(codes[i].code) == codes[i].sym, "code \"%s\"",
           codes[i].code);
    }
}


int
main(void)
{
    gsize     i;
    guint32   sym;
    gboolean  printable;

    for (i = 0; i < G_N_ELEMENTS(cases); i++) {
        sym = agent_keysym(cases[i].key, cases[i].code, &printable);

        if (!ok(sym == cases[i].sym && printable == cases[i].printable,
                "case %" G_GSIZE_FORMAT " (%s)", i, cases[i].code))
        {
            printf("#   got %x\n", sym);
        }
    }

    test_us();

    return done();
}
