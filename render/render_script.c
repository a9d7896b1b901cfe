
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns the scripts of render_script.h.
 *
 * A mask is an opaque box: what is in it is painted black by a filter, onto
 * black, cut off at its edges; texts in it have no colour at all.  The rules
 * are an element and a constructed sheet, for a page may throw either away,
 * and the script puts back what is missing before the next frame.  They are
 * important and in a layer, which wins over a page's own important ones.
 *
 * Lists that open above a page are no part of it, so they do not open there.
 *
 * A selector that this browser does not understand masks the whole page: what
 * it was to hide is not known.
 */

#include "render_script.h"
#include "agent_json.h"


static const char  render_script_text[] =
    "(() => {\n"
    "'use strict';\n"
    "if (globalThis.rsForms) return;\n"
    "let held = false;\n"
    "globalThis.rsForms = (v) => { held = v; };\n"
    "const say = (word) => {\n"
    "  try { globalThis." RENDER_SCRIPT_SAY "(word); } catch (e) { }\n"
    "};\n"
    "window.addEventListener('submit', (e) => {\n"
    "  if (!held) return;\n"
    "  e.preventDefault();\n"
    "  e.stopImmediatePropagation();\n"
    "  say('submit');\n"
    "}, true);\n"
    "const box = '{background:#000 !important;color:transparent !important;'\n"
    "  + '-webkit-text-fill-color:transparent !important;'\n"
    "  + 'text-shadow:none !important;'\n"
    "  + '-webkit-text-stroke:0 !important;'\n"
    "  + 'text-decoration-color:transparent !important;'\n"
    "  + 'caret-color:transparent !important;'\n"
    "  + 'filter:brightness(0) !important;backdrop-filter:none !important;'\n"
    "  + 'opacity:1 !important;mix-blend-mode:normal !important;'\n"
    "  + 'mask:none !important;overflow:hidden !important;'\n"
    "  + 'contain:paint !important;border-color:#000 !important;'\n"
    "  + 'outline:none !important;box-shadow:none !important;'\n"
    "  + 'border-image:none !important}';\n"
    "const inner = '{color:transparent !important;'\n"
    "  + '-webkit-text-fill-color:transparent !important;'\n"
    "  + 'text-shadow:none !important;'\n"
    "  + '-webkit-text-stroke:0 !important;'\n"
    "  + 'background:#000 !important;background-image:none !important;'\n"
    "  + 'caret-color:transparent !important;'\n"
    "  + 'border-color:#000 !important}';\n"
    "let all = false;\n"
    "const rules = [];\n"
    "const known = [];\n"
    "for (const m of masks) {\n"
    "  try {\n"
    "    document.createDocumentFragment().querySelector(m);\n"
    "    if (/[{}]|\\/\\*|@/.test(m)) throw 0;\n"
    "  } catch (e) { all = true; continue; }\n"
    "  known.push(m);\n"
    "  rules.push(':is(' + m + ')' + box);\n"
    "  rules.push(':is(' + m + ') *' + inner);\n"
    "  rules.push(':is(' + m + ') :is(img,video,canvas,svg,iframe,object,'\n"
    "    + 'embed,input,textarea,select)'\n"
    "    + '{visibility:hidden !important}');\n"
    "  for (const p of ['::before', '::after', '::placeholder', '::marker',\n"
    "                   '::selection', '::first-line', '::first-letter']) {\n"
    "    rules.push(':is(' + m + ')' + p + inner);\n"
    "    rules.push(':is(' + m + ') *' + p + inner);\n"
    "  }\n"
    "}\n"
    "if (all) {\n"
    "  rules.push('html' + box);\n"
    "  rules.push('html *{visibility:hidden !important}');\n"
    "}\n"
    "if (rules.length === 0) return;\n"
    "const css = '@layer rs-mask{' + rules.join('\\n') + '}';\n"
    "const sheet = new CSSStyleSheet();\n"
    "sheet.replaceSync(css);\n"
    "let style = null;\n"
    "const keep = () => {\n"
    "  const root = document.documentElement;\n"
    "  if (!document.adoptedStyleSheets.includes(sheet)) {\n"
    "    document.adoptedStyleSheets.push(sheet);\n"
    "  }\n"
    "  if (root === null) return;\n"
    "  if (style === null || style.ownerDocument !== document\n"
    "      || style.textContent !== css) {\n"
    "    if (style !== null) style.remove();\n"
    "    style = document.createElementNS('http://www.w3.org/1999/xhtml',"
    "'style');\n"
    "    style.textContent = css;\n"
    "  }\n"
    "  if (style.parentNode !== root) root.append(style);\n"
    "  if (style.media !== '') style.media = '';\n"
    "  if (style.sheet !== null && style.sheet.disabled)\n"
    "    style.sheet.disabled = false;\n"
    "  if (sheet.disabled) sheet.disabled = false;\n"
    "};\n"
    "keep();\n"
    "new MutationObserver(keep).observe(document,\n"
    "  { childList: true, subtree: true, attributes: true,\n"
    "    attributeFilter: ['media', 'style', 'disabled'] });\n"
    "const frame = () => { keep(); requestAnimationFrame(frame); };\n"
    "requestAnimationFrame(frame);\n"
    "const shut = (e) => {\n"
    "  const t = e.target;\n"
    "  if (!(t instanceof Element) || t.closest('select,option,[list],'\n"
    "      + 'input[type=date],input[type=color]') === null) return;\n"
    "  if (known.some((m) => t.closest(m) !== null)) e.preventDefault();\n"
    "};\n"
    "for (const k of ['mousedown', 'keydown'])\n"
    "  window.addEventListener(k, shut, true);\n"
    "})();\n";


char *
render_script_masks(const GPtrArray *masks)
{
    guint               i;
    json_t             *list;
    g_autofree char    *text = NULL;

    list = json_array();
    json_array_append_new(list, json_string("[data-rs-mask]"));

    for (i = 0; masks != NULL && i < masks->len; i++) {
        json_array_append_new(list,
                              json_string(g_ptr_array_index(masks, i)));
    }

    text = json_dumps(list, JSON_COMPACT|JSON_ENSURE_ASCII);
    json_decref(list);

    return g_strconcat("{const masks=", text, ";\n", render_script_text, "}",
                       NULL);
}


const char *
render_script_forms(gboolean held)
{
    return held ? "globalThis.rsForms(true);" : "globalThis.rsForms(false);";
}
