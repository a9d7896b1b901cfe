
/*
 * Copyright (C) rs-gateway contributors
 *
 * What is verified, and by whom: the panel in the bar of a session, and the
 * dialog in which a user, and nobody else, has a device's known key
 * forgotten.  DOM only.
 *
 * Event: unpin   the known key of this session's device is to be forgotten.
 */

import { RsEvent } from "./rs-client.js";
import { fillFacts } from "./rs-dom.js";
import { trustWords } from "./rs-words.js";


export class RsTrust extends EventTarget {
    #document;
    #facts = null;

    constructor(document) {
        super();
        this.#document = document;
        this.#wire();
    }

    #get(id) {
        return this.#document.getElementById(id);
    }

    #wire() {
        const dialog = this.#get("pin");
        const compared = this.#get("pin-compared");

        compared.addEventListener("change", () => {
            this.#get("pin-reset").disabled = !compared.checked;
        });

        dialog.addEventListener("close", () => {
            if (dialog.returnValue === "reset" && compared.checked) {
                this.dispatchEvent(new RsEvent("unpin"));
            }
        });
    }

    /** @param {{kind: "oidc"|"key"|"guest", name: string}} who */
    begin(who) {
        this.#facts = {...who, verdict: null, path: null, detour: false};
        this.#render();
    }

    /** More of what trustWords() takes. */
    set(facts) {
        this.#facts = {...this.#facts, ...facts};
        this.#render();
    }

    #render() {
        const words = trustWords(this.#facts);

        this.#get("trust").dataset.level = words.level;
        this.#get("trust").dataset.operator
            = String(this.#facts.verdict?.operator?.verified === true);
        this.#get("trust-text").textContent = words.chip;
        fillFacts(this.#get("trust-facts"), words.rows);
    }

    /** @param {{known: string, short: string}} keys  their fingerprints */
    compare({known, short}) {
        const dialog = this.#get("pin");

        this.#get("pin-compared").checked = false;
        this.#get("pin-reset").disabled = true;
        fillFacts(this.#get("pin-facts"), [["Known", known], ["Now", short]]);
        dialog.returnValue = "";
        dialog.showModal();
    }

    /** The session is over. */
    end() {
        this.#get("pin").close();
    }
}
