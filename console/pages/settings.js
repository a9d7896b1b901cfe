
/*
 * Copyright (C) rs-gateway contributors
 *
 * Settings: how the console looks, how it connects, who is signed in, which
 * devices' keys this browser knows, and what the gateway is.
 *
 * Event: signout.
 */

import { RsEvent } from "../rs-client.js";
import { el, fillError, fillFacts } from "../rs-dom.js";
import { loadWords, whenWords } from "../rs-words.js";


const THEMES = [["system", "As the system"], ["light", "Light"],
                ["dark", "Dark"]];
const KINDS = [["renderer", "Browsers"], ["recorder", "Recorders"]];
const ROLES = [["controller", "Control", "See the screen, use mouse and "
                + "keyboard"],
               ["viewer", "View", "See the screen only"]];


export class SettingsPage extends EventTarget {
    #app;
    #prefs;
    #fleet;
    #parts = {};

    /** @param {Document} document
     *  @param {{app: any, prefs: import("../rs-prefs.js").RsPrefs,
     *           fleet: import("../rs-fleet.js").Fleet}} o */
    constructor(document, {app, prefs, fleet}) {
        super();
        this.#app = app;
        this.#prefs = prefs;
        this.#fleet = fleet;
        this.#build(document.getElementById("settings"));
        this.#dress(document.documentElement);
    }

    /* "system": by no attribute, after the system */
    #dress(root) {
        const theme = this.#prefs.get("theme");

        if (theme === "system") {
            delete root.dataset.theme;

        } else {
            root.dataset.theme = theme;
        }
    }

    #set(name, value) {
        this.#parts.unkept.hidden = this.#prefs.set(name, value);
        this.#dress(document.documentElement);
    }

    #radio(name, value, texts) {
        const input = el("input", {type: "radio", name: `set-${name}`, value,
                                   checked: this.#prefs.get(name) === value,
                                   onchange: () => this.#set(name, value)});

        return el("label", {}, input, texts);
    }

    #build(root) {
        const p = this.#parts;

        p.title = el("h1", {id: "settings-title", tabindex: "-1"},
                     "Settings");
        p.unkept = el("p", {class: "error", role: "alert", hidden: true},
                      "This browser keeps nothing for this page: what you "
                      + "choose is forgotten when it is closed.");
        p.account = el("dl", {class: "facts"});
        p.gateway = el("dl", {class: "facts"});
        p.services = el("ul", {class: "lines", id: "settings-services"});
        p.noServices = el("p", {class: "muted"}, "None is enrolled: there is "
                          + "no browsing together, and nothing is recorded.");
        p.keys = el("ul", {class: "lines"});
        p.noKeys = el("p", {class: "muted"}, "None yet: the first session "
                      + "with a device makes its key known.");
        p.error = el("div", {class: "error", role: "alert", hidden: true});

        root.append(
            el("div", {class: "heading"},
               el("div", {}, p.title, el("p", {class: "muted"},
                  "Of this browser. Nothing here changes it for others."))),
            p.unkept, p.error,
            el("div", {class: "cards"}, this.#buildLooks(),
               this.#buildConnect(), this.#buildAccount(),
               card("Known devices", "Keys of devices that this browser has "
                    + "connected to. Another key is refused until the known "
                    + "one is forgotten.", p.keys, p.noKeys),
               this.#buildServices(),
               card("Gateway", null, p.gateway)));
    }

    #buildLooks() {
        return card("Appearance", null,
            el("fieldset", {class: "segments"},
               el("legend", {class: "visually-hidden"}, "Colours"),
               ...THEMES.map(([value, text]) => this.#radio(
                   "theme", value, el("span", {}, text)))));
    }

    #buildConnect() {
        const relay = el("input", {
            type: "checkbox", id: "set-relay",
            checked: this.#prefs.get("relay"),
            onchange: () => this.#set("relay", relay.checked)});

        return card("Connecting", "What Connect does without options.",
            el("fieldset", {class: "choices"},
               el("legend", {class: "visually-hidden"}, "Take part as"),
               ...ROLES.map(([value, name, help]) => this.#radio(
                   "role", value, el("span", {}, el("b", {}, name),
                                     el("small", {}, help))))),
            el("label", {class: "check"}, relay,
               el("span", {}, el("b", {}, "Use a relay only"),
                  el("small", {}, "Neither side learns the other's "
                     + "address"))));
    }

    #buildServices() {
        const p = this.#parts;

        p.serviceCard = card("Services", "Browsers to look at pages "
            + "together, and recorders of sessions.", p.services,
            p.noServices);

        return p.serviceCard;
    }

    #buildAccount() {
        return card("Account", null, this.#parts.account,
            el("div", {class: "acts"},
               el("button", {type: "button", class: "quiet",
                             onclick: () => this.dispatchEvent(
                                 new RsEvent("signout"))}, "Sign out")));
    }

    show() {
        this.#parts.title.focus();
        this.#showAccount();
        this.#showKeys();
        this.#showGateway();
        this.#showServices();
    }

    hide() {
    }

    forget() {
        this.#parts.account.replaceChildren();
        this.#parts.keys.replaceChildren();
        this.#parts.gateway.replaceChildren();
        this.#parts.services.replaceChildren();
        fillError(this.#parts.error, null);
    }

    async #showAccount() {
        const {account} = this.#app;

        try {
            const me = await account.api.me();

            if (account.api === null) {
                return;
            }

            fillFacts(this.#parts.account, [
                ["Signed in as", account.name || me.id],
                ["By", me.kind === "user" ? "the issuer" : "an API key"],
                ["Tenant", me.tenant],
                ["Roles", (me.roles ?? []).join(", ")],
                ["May", me.verbs.includes("*") ? "everything"
                                               : me.verbs.join(", ")],
                ["Good until", me.expires_at ? whenWords(me.expires_at)
                                             : "it is revoked"],
            ].filter(([, value]) => value));

        } catch (e) {
            fillError(this.#parts.error, e);
        }
    }

    async #showKeys() {
        const p = this.#parts;

        try {
            const pins = await this.#app.pins.list();

            p.noKeys.hidden = pins.length > 0;
            p.keys.replaceChildren(...pins.map((pin) => this.#keyLine(pin)));

        } catch (e) {
            fillError(p.error, e);
        }
    }

    #keyLine({device_id, short, at}) {
        const name = this.#fleet.get(device_id)?.name || device_id;

        return el("li", {},
            el("span", {class: "what"}, el("b", {}, name),
               el("small", {class: "muted"}, `${short} · since ${
                                                whenWords(at)}`)),
            el("button", {type: "button", class: "quiet",
                          "aria-label": `Forget the key of ${name}`,
                          onclick: async () => {
                await this.#app.pins.reset(device_id);
                this.#showKeys();
            }}, "Forget"));
    }

    async #showServices() {
        const p = this.#parts;
        const {account} = this.#app;

        p.serviceCard.hidden = !account.can("devices:read");

        if (p.serviceCard.hidden) {
            return;
        }

        try {
            const lines = [];

            for (const [kind, name] of KINDS) {
                const {items} = await account.api.devices({kind, limit: 64});

                lines.push(...items.filter((d) => d.kind === kind)
                                   .map((d) => serviceLine(d, name)));
            }

            p.noServices.hidden = lines.length > 0;
            p.services.replaceChildren(...lines);

        } catch (e) {
            fillError(p.error, e);
        }
    }

    async #showGateway() {
        try {
            const it = await this.#app.account.api.features();

            fillFacts(this.#parts.gateway, [
                ["API", `version ${it.api_version}`],
                ["Address", this.#app.base],
                ["Sign-in", it.oidc?.issuer ?? "by API keys"],
                ["Offers", (it.features ?? []).join(", ") || "the basics"],
            ]);

        } catch (e) {
            fillError(this.#parts.error, e);
        }
    }
}


function serviceLine(device, kind) {
    const {online, load} = device;
    const meter = online && load?.capacity > 0
        ? el("meter", {min: "0", max: String(load.capacity),
                       value: String(load.used ?? 0),
                       "aria-label": `Load of ${device.name || device.id}`})
        : null;

    return el("li", {dataset: {kind: device.kind, online: String(online)}},
        el("span", {class: "what"}, el("b", {}, device.name || device.id),
           el("small", {class: "muted"}, `${kind} · ${loadWords(device)}`)),
        meter);
}


function card(title, note, ...children) {
    return el("section", {class: "tile"}, el("h2", {}, title),
              note === null ? null : el("p", {class: "note"}, note),
              ...children);
}
