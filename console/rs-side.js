
/*
 * Copyright (C) rs-gateway contributors
 *
 * What features add to the session view: buttons in its bar, and panels at
 * the side of the picture, one of them open at a time.  Escape closes a
 * panel; the focus goes back to its button.
 */

import { el, icon, setText } from "./rs-dom.js";


export class RsSide {
    #tools;
    #side;
    #title;
    #room;
    #panels = new Map();
    #open = null;           /* id */
    #closed;                /* called when a panel was closed by the user */

    /** @param {Document} document  @param {() => void} closed */
    constructor(document, closed) {
        this.#tools = document.getElementById("stage-tools");
        this.#side = document.getElementById("side");
        this.#title = document.getElementById("side-title");
        this.#room = document.getElementById("side-room");
        this.#closed = closed;

        document.getElementById("side-close")
                .addEventListener("click", () => this.#leave());

        this.#side.addEventListener("keydown", (ev) => {
            if (ev.key === "Escape") {
                this.#leave();
            }
        });
    }

    #leave() {
        const {button} = this.#panels.get(this.#open);

        this.open(null);

        if (button.hidden || button.disabled) {
            this.#closed();

        } else {
            button.focus();
        }
    }

    /**
     * A button in the bar.  icon: a path's "d" in a field of 24 by 24; label:
     * shown beside it where there is room (none: the icon alone); order:
     * lower is further left.  The element is the caller's to hide, disable,
     * press (aria-pressed).
     *
     * @param {{id: string, icon: string, title: string, label?: string,
     *          order?: number, hidden?: boolean,
     *          onClick: (ev: Event) => void}} o
     * @returns {HTMLButtonElement}
     */
    addButton(o) {
        const button = el("button", {type: "button", id: `tool-${o.id}`,
                                     class: "quiet tool", title: o.title,
                                     "aria-label": o.label ? null : o.title,
                                     onclick: o.onClick},
                          icon(o.icon),
                          o.label ? el("span", {class: "wide"}, o.label)
                                  : null,
                          el("span", {class: "badge"}));
        const order = o.order ?? 50;

        button.hidden = o.hidden ?? false;
        button.dataset.order = String(order);

        const next = [...this.#tools.children].find(
            (other) => Number(other.dataset.order) > order);

        this.#tools.insertBefore(button, next ?? null);

        return button;
    }

    /**
     * A panel, and the button that opens it.  build() fills its element, once
     * and at once.  opened: called each time it is shown.
     *
     * @param {{id: string, icon: string, title: string, label?: string,
     *          order?: number, hidden?: boolean, opened?: () => void,
     *          build: (element: HTMLElement) => void}} o
     * @returns {{button: HTMLButtonElement, element: HTMLElement,
     *            open: () => void, close: () => void,
     *            isOpen: () => boolean, badge: (text: string) => void}}
     */
    addPanel(o) {
        const element = el("div", {class: "side-part", id: `panel-${o.id}`,
                                   hidden: true});
        const button = this.addButton({...o, onClick: () => {
            this.open(this.#open === o.id ? null : o.id);
        }});

        button.setAttribute("aria-expanded", "false");
        button.setAttribute("aria-controls", element.id);
        this.#room.append(element);
        this.#panels.set(o.id, {o, element, button});
        o.build(element);

        return {
            button, element,
            open: () => this.open(o.id),
            close: () => this.#open === o.id && this.open(null),
            isOpen: () => this.#open === o.id,
            badge: (text) => {
                setText(button.querySelector(".badge"), text);

                if (!o.label) {
                    button.setAttribute("aria-label",
                                        [o.title, text].join(" ").trim());
                }
            },
        };
    }

    /** @param {string|null} id  null: none */
    open(id) {
        this.#open = id;
        this.#side.hidden = id === null;

        for (const [key, {o, element, button}] of this.#panels) {
            element.hidden = key !== id;
            button.setAttribute("aria-expanded", String(key === id));

            if (key === id) {
                this.#title.textContent = o.title;
                this.#title.focus();
                o.opened?.();
            }
        }
    }
}
