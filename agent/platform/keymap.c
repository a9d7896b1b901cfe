
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns the tables from UI Events KeyboardEvent key and code values to
 * keysyms (X11 keysymdef.h, its appendix on Unicode keysyms).
 */

#include "keymap.h"

#include <X11/XF86keysym.h>
#include <X11/keysym.h>
#include <string.h>


typedef struct {
    const char  *name;
    guint32      sym;
} agent_keymap_t;


static guint32 agent_keymap_find(const agent_keymap_t *map, gsize n,
    const char *name);
static guint32 agent_keymap_function(const char *key);


/* by code: two keys of one name, told apart */

static const agent_keymap_t  agent_keymap_sides[] = {
    { "ShiftLeft", XK_Shift_L },
    { "ShiftRight", XK_Shift_R },
    { "ControlLeft", XK_Control_L },
    { "ControlRight", XK_Control_R },
    { "AltLeft", XK_Alt_L },
    { "AltRight", XK_Alt_R },
    { "MetaLeft", XK_Super_L },
    { "MetaRight", XK_Super_R },
    { "OSLeft", XK_Super_L },
    { "OSRight", XK_Super_R },
    { "NumpadEnter", XK_KP_Enter }
};


static const agent_keymap_t  agent_keymap_names[] = {
    { "Enter", XK_Return },
    { "Tab", XK_Tab },
    { "Backspace", XK_BackSpace },
    { "Delete", XK_Delete },
    { "Insert", XK_Insert },
    { "Escape", XK_Escape },
    { "Home", XK_Home },
    { "End", XK_End },
    { "PageUp", XK_Prior },
    { "PageDown", XK_Next },
    { "ArrowLeft", XK_Left },
    { "ArrowUp", XK_Up },
    { "ArrowRight", XK_Right },
    { "ArrowDown", XK_Down },
    { "Shift", XK_Shift_L },
    { "Control", XK_Control_L },
    { "Alt", XK_Alt_L },
    { "AltGraph", XK_ISO_Level3_Shift },
    { "Meta", XK_Super_L },
    { "Super", XK_Super_L },
    { "Hyper", XK_Hyper_L },
    { "OS", XK_Super_L },
    { "CapsLock", XK_Caps_Lock },
    { "NumLock", XK_Num_Lock },
    { "ScrollLock", XK_Scroll_Lock },
    { "Pause", XK_Pause },
    { "PrintScreen", XK_Print },
    { "ContextMenu", XK_Menu },
    { "Help", XK_Help },
    { "Undo", XK_Undo },
    { "Redo", XK_Redo },
    { "Again", XK_Redo },
    { "Find", XK_Find },
    { "Select", XK_Select },
    { "Execute", XK_Execute },
    { "Cancel", XK_Cancel },
    { "Clear", XK_Clear },
    { "Compose", XK_Multi_key },
    { "Convert", XK_Henkan },
    { "NonConvert", XK_Muhenkan },
    { "KanaMode", XK_Kana_Lock },
    { "HangulMode", XK_Hangul },
    { "HanjaMode", XK_Hangul_Hanja },
    { "ZenkakuHankaku", XK_Zenkaku_Hankaku },
    { "Hiragana", XK_Hiragana },
    { "Katakana", XK_Katakana },
    { "HiraganaKatakana", XK_Hiragana_Katakana },
    { "AudioVolumeMute", XF86XK_AudioMute },
    { "AudioVolumeDown", XF86XK_AudioLowerVolume },
    { "AudioVolumeUp", XF86XK_AudioRaiseVolume },
    { "MediaPlayPause", XF86XK_AudioPlay },
    { "MediaStop", XF86XK_AudioStop },
    { "MediaTrackNext", XF86XK_AudioNext },
    { "MediaTrackPrevious", XF86XK_AudioPrev },
    { "BrowserBack", XF86XK_Back },
    { "BrowserForward", XF86XK_Forward },
    { "BrowserHome", XF86XK_HomePage },
    { "BrowserRefresh", XF86XK_Reload },
    { "BrowserSearch", XF86XK_Search },
    { "BrowserFavorites", XF86XK_Favorites },
    { "BrowserStop", XF86XK_Stop },
    { "Copy", XF86XK_Copy },
    { "Cut", XF86XK_Cut },
    { "Paste", XF86XK_Paste }
};


static const agent_keymap_t  agent_keymap_codes[] = {
    { "Backquote", XK_grave },
    { "Minus", XK_minus },
    { "Equal", XK_equal },
    { "BracketLeft", XK_bracketleft },
    { "BracketRight", XK_bracketright },
    { "Backslash", XK_backslash },
    { "IntlBackslash", XK_less },
    { "Semicolon", XK_semicolon },
    { "Quote", XK_apostrophe },
    { "Comma", XK_comma },
    { "Period", XK_period },
    { "Slash", XK_slash },
    { "Space", XK_space },
    { "NumpadAdd", XK_KP_Add },
    { "NumpadSubtract", XK_KP_Subtract },
    { "NumpadMultiply", XK_KP_Multiply },
    { "NumpadDivide", XK_KP_Divide },
    { "NumpadDecimal", XK_KP_Decimal }
};


static guint32
agent_keymap_find(const agent_keymap_t *map, gsize n, const char *name)
{
    gsize  i;

    for (i = 0; i < n; i++) {

        if (strcmp(map[i].name, name) == 0) {
            return map[i].sym;
        }
    }

    return 0;
}


/* F1 to F24 */

static guint32
agent_keymap_function(const char *key)
{
    guint64  n;

    if (key[0] != 'F'
        || !g_ascii_string_to_unsigned(key + 1, 10, 1, 24, &n, NULL))
    {
        return 0;
    }

    return XK_F1 + (guint32) n - 1;
}


guint32
agent_keysym_unicode(gunichar c)
{
    if (c < 0x20 || (c >= 0x7f && c < 0xa0)) {
        return 0;
    }

    if (c <= 0xff) {
        return c;
    }

    return 0x01000000 + c;
}


guint32
agent_keysym(const char *key, const char *code, gboolean *printable)
{
    guint32  sym;

    *printable = FALSE;

    if (key[0] != '\0' && *g_utf8_next_char(key) == '\0') {
        *printable = TRUE;
        return agent_keysym_unicode(g_utf8_get_char(key));
    }

    /* AltRight bears AltGraph on many layouts: there the name decides */

    if (strcmp(key, "AltGraph") != 0) {
        sym = agent_keymap_find(agent_keymap_sides,
                                G_N_ELEMENTS(agent_keymap_sides), code);
        if (sym != 0) {
            return sym;
        }
    }

    sym = agent_keymap_find(agent_keymap_names,
                            G_N_ELEMENTS(agent_keymap_names), key);
    if (sym != 0) {
        return sym;
    }

    sym = agent_keymap_function(key);

    if (sym == 0 && strcmp(key, "Unidentified") == 0) {
        sym = agent_keysym_us(code);
    }

    return sym;
}


guint32
agent_keysym_us(const char *code)
{
    if (strncmp(code, "Key", 3) == 0 && g_ascii_isupper(code[3])
        && code[4] == '\0')
    {
        return (guint32) g_ascii_tolower(code[3]);
    }

    if (strncmp(code, "Digit", 5) == 0 && g_ascii_isdigit(code[5])
        && code[6] == '\0')
    {
        return (guint32) code[5];
    }

    if (strncmp(code, "Numpad", 6) == 0 && g_ascii_isdigit(code[6])
        && code[7] == '\0')
    {
        return (guint32) code[6];
    }

    return agent_keymap_find(agent_keymap_codes,
                             G_N_ELEMENTS(agent_keymap_codes), code);
}
