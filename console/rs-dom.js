
/*
 * Copyright (C) rs-gateway contributors
 *
 * How the console's scripts make elements.  Texts go through textContent,
 * whoever they are from.
 */

import { errorWords } from "./rs-words.js";


const SVG = "http://www.w3.org/2000/svg";


/**
 * An element: el("button", {type: "button", class: "quiet"}, "Send").  An
 * attribute of null or false is left out, one of true is empty; a function
 * under "onclick" and the like becomes a listener; dataset is an object.
 *
 * @param {string} tag
 * @param {Object<string, any>} [attributes]
 * @param {...(Node|string|null)} children
 */
export function el(tag, attributes = {}, ...children) {
    const element = document.createElement(tag);

    for (const [name, value] of Object.entries(attributes)) {
        if (value === null || value === undefined || value === false) {
            continue;
        }

        if (typeof value === "function") {
            element.addEventListener(name.slice(2), value);

        } else if (name === "dataset") {
            Object.assign(element.dataset, value);

        } else {
            element.setAttribute(name, value === true ? "" : value);
        }
    }

    element.append(...children.filter((child) => child !== null));

    return element;
}


/** An icon drawn by lines in a field of 24 by 24: what a path's "d" says. */
export function icon(d) {
    const svg = document.createElementNS(SVG, "svg");
    const path = document.createElementNS(SVG, "path");

    svg.setAttribute("class", "icon");
    svg.setAttribute("viewBox", "0 0 24 24");
    svg.setAttribute("aria-hidden", "true");
    path.setAttribute("d", d);
    svg.append(path);

    return svg;
}


/** Writes a text where it is another one: nothing is read out twice. */
export function setText(element, text) {
    if (element.textContent !== text) {
        element.textContent = text;
    }
}


/** Shows an error, or with null none. */
export function fillError(box, error) {
    box.replaceChildren();
    box.hidden = error === null;

    if (error === null) {
        return;
    }

    const words = errorWords(error);

    box.append(el("b", {}, words.title), el("span", {}, words.help),
               el("small", {}, words.detail));
}


/** Fills a <dl> with names and values. */
export function fillFacts(list, facts) {
    list.replaceChildren(...facts.flatMap(([name, value]) => [
        el("dt", {}, name), el("dd", {}, value)]));
}
