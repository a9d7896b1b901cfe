
/*
 * Copyright (C) rs-gateway contributors
 *
 * Style sheets of a library that writes <style> elements, which the page's
 * Content-Security-Policy does not allow: the same texts as sheets that the
 * document adopts.
 */


/* what stands where the <style> would have stood */
function standIn(document, element) {
    const sheet = new CSSStyleSheet();
    const others = () => document.adoptedStyleSheets
                                 .filter((s) => s !== sheet);

    element.hidden = true;
    Object.defineProperty(element, "textContent", {
        get: () => "",
        set: (text) => sheet.replaceSync(text),
    });
    element.remove = () => {
        document.adoptedStyleSheets = others();
        Element.prototype.remove.call(element);
    };
    document.adoptedStyleSheets = [...others(), sheet];

    return element;
}


/**
 * Runs make(), in which each <style> that is created becomes an adopted sheet;
 * later changes of its textContent change that.
 *
 * @template T
 * @param {Document} document
 * @param {() => T} make  not async
 * @returns {T}
 */
export function withSheets(document, make) {
    const create = Document.prototype.createElement;

    document.createElement = (name, ...more) =>
        String(name).toLowerCase() === "style"
        ? standIn(document, create.call(document, "span"))
        : create.call(document, name, ...more);

    try {
        return make();

    } finally {
        delete document.createElement;
    }
}
