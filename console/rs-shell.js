
/*
 * Copyright (C) rs-gateway contributors
 *
 * The frame of the console: which screen is shown, who is signed in, and
 * for how long.  DOM only.
 *
 * Events: signout; renew; tenant name; again (the page that is shown was
 * asked for).
 */

import { el } from "./rs-dom.js";
import { RsEvent } from "./rs-client.js";
import { errorWords, tokenWords } from "./rs-words.js";


const SCREENS = ["signin", "guest", "handed", "app"];
const PAGES = {devices: "Devices", together: "Browse together",
               tunnels: "Tunnels", history: "History",
               recordings: "Recordings", audit: "Audit",
               settings: "Settings"};


export class RsShell extends EventTarget {
    #document;
    #tenant;

    constructor(document) {
        super();
        this.#document = document;
        this.#tenant = this.#get("tenant");

        this.#get("signout").addEventListener("click",
                                              () => this.#say("signout"));
        this.#get("renew-go").addEventListener("click",
                                               () => this.#say("renew"));
        this.#tenant.addEventListener(
            "change", () => this.#say("tenant", this.#tenant.value));

        for (const link of this.#links()) {
            link.addEventListener("click", () => {
                if (link.hash === document.location.hash) {
                    this.#say("again");
                }
            });
        }

        for (const button of document.querySelectorAll("[data-close]")) {
            button.addEventListener("click",
                                    () => button.closest("dialog").close());
        }
    }

    #get(id) {
        return this.#document.getElementById(id);
    }

    #say(type, detail) {
        this.dispatchEvent(new RsEvent(type, detail));
    }

    /** @param {string} name  of SCREENS, or "stage" */
    show(name) {
        this.#document.body.dataset.screen = name;

        for (const screen of SCREENS) {
            this.#get(screen).hidden = name !== screen;
        }
    }

    /** @param {string} name  of PAGES */
    showPage(name) {
        this.show("app");
        this.#document.title = `${PAGES[name]} · Remote support`;

        for (const page of Object.keys(PAGES)) {
            this.#get(page).hidden = page !== name;
        }

        for (const link of this.#links()) {
            if (link.dataset.page === name) {
                link.setAttribute("aria-current", "page");

            } else {
                link.removeAttribute("aria-current");
            }
        }
    }

    #links() {
        return this.#document.querySelectorAll("[data-page]");
    }

    /** What the account may not see is not offered.
     *  @param {(page: string) => boolean} may */
    offer(may) {
        for (const link of this.#links()) {
            link.parentNode.hidden = !may(link.dataset.page);
        }
    }

    /** @param {{name: string, tenants: string[]}} account */
    setAccount(account) {
        this.#get("account-name").textContent = account.name;
        this.#get("account-name").title = account.name;
        this.#tenant.hidden = account.tenants.length === 0;
        this.#tenant.replaceChildren(...account.tenants.map(
            (name) => el("option", {value: name}, name)));
    }

    /** How long the sign-in is good, or null when there is no need to say. */
    setToken(left_s) {
        this.#get("renew").hidden = left_s === null;
        this.#get("renew-text").textContent = left_s === null
                                              ? "" : tokenWords(left_s);
    }

    renewError(error) {
        const words = errorWords(error);

        this.#get("renew").hidden = false;
        this.#get("renew-text").textContent = `${words.title}. ${words.help}`;
    }
}
