
/*
 * Copyright (C) rs-gateway contributors
 *
 * The pages of somebody who is not signed in: the way in, a guest's first
 * page, the window of a renewal.  DOM only.
 *
 * A guest is asked for nothing but a name, until the link turns out to want a
 * PIN.
 *
 * Events: signin key; oidc; guest {name, pin}.
 */

import { RsEvent } from "../rs-client.js";
import { fillError } from "../rs-dom.js";


export class SignInPage extends EventTarget {
    #document;
    #shell;

    /** @param {Document} document
     *  @param {import("../rs-shell.js").RsShell} shell */
    constructor(document, shell) {
        super();
        this.#document = document;
        this.#shell = shell;
        this.#wireSignIn();
        this.#wireGuest();
    }

    #get(id) {
        return this.#document.getElementById(id);
    }

    #say(type, detail) {
        this.dispatchEvent(new RsEvent(type, detail));
    }

    /* signing in */

    #wireSignIn() {
        const key = this.#get("key");
        const show = this.#get("key-show");

        this.#get("signin-form").addEventListener("submit", (ev) => {
            ev.preventDefault();
            this.#say("signin", key.value.trim());
        });

        show.addEventListener("click", () => {
            const shown = key.type === "text";

            key.type = shown ? "password" : "text";
            show.textContent = shown ? "Show" : "Hide";
            show.setAttribute("aria-pressed", String(!shown));
        });

        key.addEventListener("input", () => {
            fillError(this.#get("signin-error"), null);
            key.removeAttribute("aria-invalid");
        });

        this.#get("signin-oidc").addEventListener("click",
                                                  () => this.#say("oidc"));
    }

    /** @param {boolean} issuer  technicians have one to sign in at */
    showSignIn(issuer) {
        const key = this.#get("key");
        const first = issuer ? this.#get("signin-oidc") : key;

        fillError(this.#get("signin-error"), null);
        this.#document.title = "Remote support";
        this.#shell.show("signin");
        this.#get("signin-issuer").hidden = !issuer;
        this.#get("signin-go").classList.toggle("quiet", issuer);
        this.#get("signin-go").classList.toggle("primary", !issuer);
        key.value = "";
        first.focus();
    }

    /** The key is not kept in the page once it was taken. */
    forget() {
        this.#get("key").value = "";
    }

    signInBusy(busy) {
        const button = this.#get("signin-go");

        button.setAttribute("aria-busy", String(busy));
        button.disabled = busy;
        this.#get("signin-oidc").disabled = busy;
        button.textContent = busy ? "Signing in…" : "Sign in";
    }

    signInError(error) {
        const key = this.#get("key");

        fillError(this.#get("signin-error"), error);
        key.setAttribute("aria-invalid", "true");
        key.select();
    }

    /** In the window of a renewal: whether its answer was taken. */
    showHanded(taken) {
        this.#shell.show("handed");

        if (taken) {
            this.#get("handed-title").textContent = "You are signed in";
            this.#get("handed-help").textContent = "This window can be closed.";
        }
    }

    /* guests */

    #wireGuest() {
        this.#get("guest-form").addEventListener("submit", (ev) => {
            ev.preventDefault();
            this.#say("guest", {name: this.#get("guest-name").value.trim(),
                                pin: this.#get("guest-pin").value.trim()});
        });
    }

    showGuest() {
        this.#shell.show("guest");
        this.#get("guest-pin-row").hidden = true;
        this.#get("guest-pin").value = "";
        fillError(this.#get("guest-error"), null);
        this.#get("guest-name").focus();
    }

    guestBusy(busy) {
        this.#get("guest-go").disabled = busy;
    }

    guestError(error) {
        const row = this.#get("guest-pin-row");

        /* it is asked for when the link wants one */

        if (error.code === "pin_required") {
            row.hidden = false;
        }

        fillError(this.#get("guest-error"), error);
        this.#get(row.hidden ? "guest-name" : "guest-pin").select();
    }
}
