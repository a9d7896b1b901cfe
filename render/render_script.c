
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns the scripts of render_script.h: made of texts below, each run as one
 * function in front of a page.
 *
 * A mask is an opaque box: what is in it is painted black by a filter, onto
 * black, cut off at its edges; texts in it have no colour at all.  The rules
 * are an element and a constructed sheet, for a page may throw either away,
 * and the script puts back what is missing before the next frame.  They are
 * important and in a layer, the document's first, which wins over a page's own
 * important ones; those of an element's own style attribute are taken away,
 * and so are titles, which are shown above the page.
 *
 * Lists that open above a page are no part of it, so they do not open there.
 *
 * A selector that this browser does not understand masks the whole page: what
 * it was to hide is not known.
 */

#include "render_script.h"
#include "agent_json.h"


/* in the world of its own: forms, and then masks of the document */

static const char  render_script_forms_text[] =
    "if (globalThis.rsForms) return;\n"
    "let held = false;\n"
    "globalThis.rsForms = (v) => { held = v; };\n"
    "const say = (word) => {\n"
    "  try { globalThis." RENDER_SCRIPT_SAY "(word); } catch (e) { }\n"
    "};\n"
    "const sent = (e) => {\n"
    "  if (!held) return;\n"
    "  e.preventDefault();\n"
    "  e.stopImmediatePropagation();\n"
    "  say('submit');\n"
    "};\n";


/*
 * What a mask is: css, of the selectors in masks.  One that is left open is
 * none to a style sheet, and :is() takes what it does not know, and pseudo-
 * elements, for nothing; supports() does not.  What a mask asks for is not
 * taken away: it would match no more.
 */

static const char  render_script_rules_text[] =
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
    "  + 'border-image:none !important;user-select:none !important;'\n"
    "  + '-webkit-user-drag:none !important;transition:none !important}';\n"
    "const inner = '{color:transparent !important;'\n"
    "  + '-webkit-text-fill-color:transparent !important;'\n"
    "  + 'text-shadow:none !important;'\n"
    "  + '-webkit-text-stroke:0 !important;'\n"
    "  + 'background:#000 !important;background-image:none !important;'\n"
    "  + 'caret-color:transparent !important;'\n"
    "  + 'border-color:#000 !important;user-select:none !important;'\n"
    "  + '-webkit-user-drag:none !important;transition:none !important}';\n"
    "let all = false;\n"
    "const rules = [];\n"
    "const known = [];\n"
    "for (const m of masks) {\n"
    "  try {\n"
    "    document.createDocumentFragment().querySelector(m);\n"
    "    const alone = new CSSStyleSheet();\n"
    "    alone.replaceSync(m + '{}');\n"
    "    if (/[{}]|\\/\\*|@/.test(m) || alone.cssRules.length !== 1\n"
    "        || !CSS.supports('selector(:is(' + m + '))')) throw 0;\n"
    "  } catch (e) { all = true; continue; }\n"
    "  known.push(m);\n"
    "  rules.push(':is(' + m + ')' + box);\n"
    "  rules.push(':is(' + m + ') *' + inner);\n"
    "  rules.push(':is(' + m + ') :is(img,video,canvas,svg,iframe,object,'\n"
    "    + 'embed,input,textarea,select)'\n"
    "    + '{visibility:hidden !important}');\n"
    "  rules.push('svg :is(' + m + '),svg :is(' + m + ') *'\n"
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
    "const css = '@layer rs-mask{' + rules.join('\\n') + '}';\n"
    "const sheet = new CSSStyleSheet();\n"
    "sheet.replaceSync(css);\n"
    "const own = new Set();\n"
    "for (const r of sheet.cssRules[0].cssRules)\n"
    "  for (const p of r.style) own.add(p);\n"
    "const having = (word, test) => (all ? ['*'] : known.filter((m) =>\n"
    "  !RegExp('\\\\[[^\\\\]]*' + word, 'i').test(m)).flatMap((m) =>\n"
    "  [':is(' + m + ')', ':is(' + m + ') *'])).map((m) => m + test).join();\n"
    "const styled = having('style', '[style*=important i]');\n"
    "const titled = having('title', '[title]');\n"
    "const inline = styled + ',' + titled;\n"
    "const strip = (e) => {\n"
    "  if (e.matches(titled)) e.removeAttribute('title');\n"
    "  if (!e.matches(styled)) return;\n"
    "  for (const p of [...(e.style || [])])\n"
    "    if (own.has(p) && e.style.getPropertyPriority(p) !== '')\n"
    "      e.style.removeProperty(p);\n"
    "};\n"
    "const clean = (root) => {\n"
    "  for (const e of root.querySelectorAll(inline)) strip(e);\n"
    "};\n"
    "const fresh = (list) => {\n"
    "  for (const m of list) {\n"
    "    if (m.type === 'attributes' && m.target.matches(inline))\n"
    "      strip(m.target);\n"
    "    for (const n of m.addedNodes) {\n"
    "      if (n.nodeType !== 1) continue;\n"
    "      if (n.matches(inline)) strip(n);\n"
    "      clean(n);\n"
    "    }\n"
    "  }\n"
    "};\n";


/*
 * In both worlds: what would open above a page, or take texts out of it.  A
 * field has a selection of its own, which no style keeps from being copied.
 * What is selected can be pasted by the middle button without being copied.
 */

static const char  render_script_guard_text[] =
    "const met = (path) => path.some((n) => n.nodeType === 1\n"
    "  && (all || known.some((m) => n.matches(m))));\n"
    "const covers = () => {\n"
    "  const s = document.getSelection();\n"
    "  if (s === null || s.isCollapsed) return false;\n"
    "  const r = s.getRangeAt(0);\n"
    "  return all || [...document.querySelectorAll(known.join())]\n"
    "    .some((e) => r.intersectsNode(e));\n"
    "};\n"
    "const still = (e) => {\n"
    "  if (!met(e.composedPath()) && !covers()) return;\n"
    "  e.preventDefault();\n"
    "  e.stopImmediatePropagation();\n"
    "};\n"
    "const middle = (e) => { if (e.button === 1) e.preventDefault(); };\n"
    "const opens = 'select,option,[list],' + ['color', 'date', 'time',\n"
    "  'datetime-local', 'month', 'week'].map((t) => 'input[type=' + t\n"
    "  + ']').join();\n"
    "const shut = (e) => {\n"
    "  const path = e.composedPath();\n"
    "  if (e.key !== 'Tab' && met(path)\n"
    "      && path.some((n) => n.nodeType === 1 && n.matches(opens)))\n"
    "    e.preventDefault();\n"
    "};\n"
    "const asks = 'rs-submit';\n"
    "const add = EventTarget.prototype.addEventListener;\n"
    "const guard = (target) => {\n"
    "  for (const k of ['copy', 'cut', 'dragstart'])\n"
    "    add.call(target, k, still, true);\n"
    "  for (const k of ['mousedown', 'click', 'keydown'])\n"
    "    add.call(target, k, shut, true);\n"
    "  add.call(target, 'mouseup', middle, true);\n"
    "};\n";


/* where a page's policy forbids the element, its own first sheet has a line */

static const char  render_script_keep_text[] =
    "let style = null;\n"
    "const keep = () => {\n"
    "  const root = document.documentElement;\n"
    "  guard(window);\n"
    "  for (const k of ['submit', asks]) add.call(window, k, sent, true);\n"
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
    "  if (root.firstElementChild !== style) root.prepend(style);\n"
    "  if (style.sheet === null && document.styleSheets.length > 0) {\n"
    "    try {\n"
    "      const first = document.styleSheets[0];\n"
    "      if (first.cssRules.length === 0\n"
    "          || first.cssRules[0].cssText !== '@layer rs-mask;')\n"
    "        first.insertRule('@layer rs-mask;', 0);\n"
    "    } catch (e) { }\n"
    "  }\n"
    "  if (style.media !== '') style.media = '';\n"
    "  if (style.sheet !== null && style.sheet.disabled)\n"
    "    style.sheet.disabled = false;\n"
    "  if (sheet.disabled) sheet.disabled = false;\n"
    "};\n"
    "keep();\n"
    "new MutationObserver((list) => { keep(); fresh(list); })"
    ".observe(document,\n"
    "  { childList: true, subtree: true, attributes: true,\n"
    "    attributeFilter: ['media', 'style', 'disabled', 'title'] });\n"
    "const frame = () => {\n"
    "  requestAnimationFrame(frame);\n"
    "  keep();\n"
    "  clean(document);\n"
    "};\n"
    "requestAnimationFrame(frame);\n";


/*
 * In the page's world, for nobody else is told of a shadow root: each gets the
 * sheet when it is made, be it by a script or by the parser, and keeps it when
 * the page lists its own.  A root that markup alone makes and closes is not
 * to be had.
 */

static const char  render_script_shadows_text[] =
    "const list = Object.getOwnPropertyDescriptor(ShadowRoot.prototype,\n"
    "                                             'adoptedStyleSheets');\n"
    "const attach = Element.prototype.attachShadow;\n"
    "const has = (root) => list.get.call(root).includes(sheet);\n"
    "const put = (root) => { if (!has(root)) "
    "list.get.call(root).push(sheet); };\n"
    "const ask = (e) => {\n"
    "  if (window.dispatchEvent(new Event(asks, { cancelable: true })))\n"
    "    return;\n"
    "  e.preventDefault();\n"
    "  e.stopImmediatePropagation();\n"
    "};\n"
    "const seen = new WeakSet();\n"
    "const take = (root) => {\n"
    "  put(root);\n"
    "  guard(root);\n"
    "  add.call(root, 'submit', ask, true);\n"
    "  if (seen.has(root)) return;\n"
    "  seen.add(root);\n"
    "  added.observe(root, { childList: true, subtree: true,\n"
    "                        attributeFilter: ['style', 'title'] });\n"
    "  sweep(root);\n"
    "  clean(root);\n"
    "};\n"
    "const sweep = (node) => {\n"
    "  if (node.shadowRoot) take(node.shadowRoot);\n"
    "  if (!node.querySelectorAll) return;\n"
    "  for (const e of node.querySelectorAll('*'))\n"
    "    if (e.shadowRoot) take(e.shadowRoot);\n"
    "};\n"
    "const added = new MutationObserver((list) => {\n"
    "  fresh(list);\n"
    "  for (const m of list) for (const n of m.addedNodes) sweep(n);\n"
    "});\n"
    "Object.defineProperty(ShadowRoot.prototype, 'adoptedStyleSheets', {\n"
    "  configurable: true, enumerable: true,\n"
    "  get() { return list.get.call(this); },\n"
    "  set(v) { list.set.call(this, v); put(this); }\n"
    "});\n"
    "Element.prototype.attachShadow = function attachShadow(init) {\n"
    "  const root = attach.call(this, init);\n"
    "  take(root);\n"
    "  return root;\n"
    "};\n"
    "added.observe(document, { childList: true, subtree: true });\n"
    "sweep(document);\n";


/* the caller frees */

static char *
render_script_list(const GPtrArray *masks)
{
    guint    i;
    char    *text;
    json_t  *list;

    list = json_array();
    json_array_append_new(list, json_string("[data-rs-mask]"));

    for (i = 0; masks != NULL && i < masks->len; i++) {
        json_array_append_new(list,
                              json_string(g_ptr_array_index(masks, i)));
    }

    text = json_dumps(list, JSON_COMPACT|JSON_ENSURE_ASCII);
    json_decref(list);

    return text;
}


char *
render_script_masks(const GPtrArray *masks)
{
    g_autofree char  *list = render_script_list(masks);

    return g_strconcat("(() => {'use strict';\nconst masks=", list, ";\n",
                       render_script_forms_text, render_script_rules_text,
                       render_script_guard_text, render_script_keep_text,
                       "})();\n", NULL);
}


char *
render_script_shadows(const GPtrArray *masks)
{
    g_autofree char  *list = render_script_list(masks);

    return g_strconcat("(() => {'use strict';\nconst masks=", list, ";\n",
                       render_script_rules_text, render_script_guard_text,
                       render_script_shadows_text, "})();\n", NULL);
}


const char *
render_script_forms(gboolean held)
{
    return held ? "globalThis.rsForms(true);" : "globalThis.rsForms(false);";
}
