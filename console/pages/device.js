
/*
 * Copyright (C) rs-gateway contributors
 *
 * One device: what is known of it, its last sessions, its name and tags for
 * whoever may change them; and the options of a connection to it.
 *
 * Events: connect {name, device_id, role?, relay_only?, reason?}; terminal
 * device; vnc device; changed device; removed id.
 */

import { RsEvent } from "../rs-client.js";
import { el, fillError, fillFacts } from "../rs-dom.js";
import { agentWords, presenceWords, sessionWords, whenWords }
    from "../rs-words.js";
import { fillTags } from "./devices.js";


const SESSIONS_MAX = 8;
const TAGS_MAX = 16;


export class DeviceDialog extends EventTarget {
    #app;
    #prefs;
    #groupName;
    #dialog;
    #options;
    #device = null;         /* the one shown */
    #chosen = null;         /* whose options are open */
    #parts = {};

    /**
     * @param {Document} document
     * @param {{app: any, prefs: import("../rs-prefs.js").RsPrefs,
     *          groupName: (id: string) => string}} o
     */
    constructor(document, {app, prefs, groupName}) {
        super();
        this.#app = app;
        this.#prefs = prefs;
        this.#groupName = groupName;
        this.#dialog = document.getElementById("device");
        this.#options = document.getElementById("options");
        this.#build();
        this.#wireOptions();
    }

    #say(type, detail) {
        this.dispatchEvent(new RsEvent(type, detail));
    }

    #can(verb) {
        return this.#app.account.can(verb);
    }

    /** The id of the one that is shown, null: none. */
    get shown() {
        return this.#device?.id ?? null;
    }

    hide() {
        this.#dialog.close();
        this.#options.close();
    }

    #build() {
        const p = this.#parts;
        const button = (kind, text, f) => el(
            "button", {type: "button", class: kind, onclick: f}, text);

        p.title = el("h2", {id: "device-title", tabindex: "-1"});
        p.presence = el("p", {class: "presence"});
        p.tags = el("ul", {class: "tags", "aria-label": "Tags"});
        p.connect = button("primary", "Connect", () => {
            this.hide();
            this.#say("connect", {name: this.#device.name || this.#device.id,
                                  device_id: this.#device.id});
        });
        p.more = button("quiet", "Options…", () => {
            const device = this.#device;

            this.hide();
            this.openOptions(device);
        });
        p.terminal = button("quiet", "Terminal",
                            () => this.#say("terminal", this.#device));
        p.vnc = button("quiet", "VNC…", () => this.#say("vnc", this.#device));
        p.error = el("div", {class: "error", role: "alert", hidden: true});
        p.facts = el("dl", {class: "facts"});
        p.sessions = el("ul", {class: "lines"});
        p.none = el("p", {class: "muted"}, "None that is still kept.");
        p.form = this.#buildForm();
        p.remove = this.#buildRemove(button);

        this.#dialog.append(
            el("header", {}, p.title,
               button("quiet", "Close", () => this.#dialog.close())),
            el("div", {class: "body"}, p.presence, p.tags,
               el("div", {class: "acts"}, p.connect, p.more, p.terminal,
                  p.vnc),
               p.error, p.facts,
               el("h3", {}, "Sessions"), p.sessions, p.none,
               p.form, p.remove));

        this.#dialog.addEventListener("close", () => {
            this.#device = null;
        });
    }

    #buildForm() {
        const p = this.#parts;

        p.name = el("input", {type: "text", id: "device-name",
                              maxlength: "128", required: true,
                              spellcheck: "false"});
        p.tagField = el("input", {type: "text", id: "device-tags",
                                  spellcheck: "false",
                                  "aria-describedby": "device-tags-note"});
        p.save = el("button", {type: "submit", class: "quiet"}, "Save");

        const form = el("form", {class: "part"}, el("h3", {}, "Change"),
            el("label", {for: "device-name"}, "Name"), p.name,
            el("label", {for: "device-tags"}, "Tags"), p.tagField,
            el("p", {class: "note", id: "device-tags-note"},
               `Separated by commas, ${TAGS_MAX} at most.`), p.save);

        form.addEventListener("submit", (ev) => {
            ev.preventDefault();
            this.#save();
        });

        return form;
    }

    /* asked for twice: it cannot be taken back */
    #buildRemove(button) {
        const p = this.#parts;

        p.sure = button("danger", "Remove it for good", () => this.#remove());

        const ask = button("quiet", "Remove this device…", () => {
            p.sure.hidden = false;
            p.sure.focus();
        });

        return el("div", {class: "part"}, el("h3", {}, "Remove"),
                  el("p", {class: "note"}, "Its sessions end, and it has to "
                     + "be enrolled anew to come back."),
                  el("div", {class: "acts"}, ask, p.sure));
    }

    /** @param {any} device  as the list has it */
    async open(device) {
        const p = this.#parts;

        this.#device = device;
        this.#fill(device);
        p.name.value = device.name ?? "";
        p.tagField.value = (device.tags ?? []).join(", ");
        p.form.hidden = p.remove.hidden = !this.#can("devices:write");
        p.sure.hidden = true;
        p.sessions.replaceChildren();
        p.none.hidden = true;
        fillError(p.error, null);
        this.#dialog.showModal();
        p.title.focus();
        await this.#loadSessions(device);
    }

    /** The list has something new: shown, if it is of this device. */
    update(device) {
        if (this.#device?.id === device?.id && device !== null) {
            this.#device = device;
            this.#fill(device);
        }
    }

    #fill(device) {
        const p = this.#parts;
        const rows = [
            ["System", agentWords(device) || "not told"],
            ["Group", this.#groupName(device.group_id) || "none"],
            ["Connected", whenWords(device.connected_at)],
            ["Last seen", device.online ? "now"
                                        : whenWords(device.last_seen_at)],
            ["Enrolled", whenWords(device.created_at)],
            ["Key changes", String(device.key_history?.length ?? 0)],
            ["Id", device.id],
        ];

        p.title.textContent = device.name || device.id;
        p.presence.textContent = presenceWords(device, Date.now() / 1000);
        this.#dialog.dataset.online = String(Boolean(device.online));
        fillTags(p.tags, device.tags ?? []);
        p.connect.hidden = p.more.hidden = !this.#can("sessions:write");
        p.terminal.hidden = p.vnc.hidden = !this.#can("tunnels:write");

        for (const way of [p.connect, p.more, p.terminal, p.vnc]) {
            way.disabled = !device.online;
        }

        fillFacts(p.facts, rows);
    }

    async #loadSessions(device) {
        const p = this.#parts;

        if (!this.#can("sessions:read")) {
            return;
        }

        try {
            const {items} = await this.#app.account.api.sessions(
                {device_id: device.id, limit: 200});

            if (this.#device?.id !== device.id) {
                return;
            }

            p.none.hidden = items.length > 0;
            p.sessions.replaceChildren(...items.slice(0, SESSIONS_MAX).map(
                (s) => el("li", {}, el("b", {}, whenWords(s.created_at)),
                          el("span", {class: "muted"}, sessionWords(s)))));

        } catch (e) {
            fillError(p.error, e);
        }
    }

    async #save() {
        const p = this.#parts;
        const {id} = this.#device;
        const {api} = this.#app.account;
        const tags = p.tagField.value.split(",").map((t) => t.trim())
                      .filter((t) => t !== "");

        p.save.disabled = true;
        fillError(p.error, null);

        try {
            const {etag} = await api.device(id);
            const {data} = await api.patchDevice(
                id, {name: p.name.value.trim(), tags: [...new Set(tags)]},
                etag);

            this.#say("changed", data);

        } catch (e) {
            fillError(p.error, e);
            p.error.scrollIntoView({block: "nearest"});

        } finally {
            p.save.disabled = false;
        }
    }

    async #remove() {
        const {id} = this.#device;

        try {
            await this.#app.account.api.deleteDevice(id);
            this.hide();
            this.#say("removed", id);

        } catch (e) {
            fillError(this.#parts.error, e);
            this.#parts.error.scrollIntoView({block: "nearest"});
        }
    }

    /* options of a connection */

    #part(id) {
        return this.#options.ownerDocument.getElementById(id);
    }

    #wireOptions() {
        const dialog = this.#options;

        dialog.addEventListener("close", () => {
            const device = this.#chosen;

            this.#chosen = null;

            if (device === null || dialog.returnValue !== "connect") {
                return;
            }

            this.#say("connect", {
                name: device.name || device.id,
                device_id: device.id,
                role: dialog.querySelector('input[name="role"]:checked').value,
                relay_only: this.#part("options-relay").checked,
                reason: this.#part("options-reason").value.trim(),
            });
        });
    }

    #offerRoles() {
        for (const radio of this.#options
                                .querySelectorAll('input[name="role"]'))
        {
            radio.disabled = radio.value === "controller"
                             && !this.#can("sessions:control");
            radio.checked = radio.value === this.#prefs.get("role");
        }

        if (!this.#can("sessions:control")) {
            this.#options.querySelector('input[value="viewer"]')
                         .checked = true;
        }
    }

    openOptions(device) {
        this.#chosen = device;
        this.#options.returnValue = "";
        this.#part("options-title").textContent =
            "Connect to " + (device.name || device.id);
        this.#part("options-reason").value = "";
        this.#part("options-relay").checked = this.#prefs.get("relay");
        this.#offerRoles();
        this.#options.showModal();
    }
}
