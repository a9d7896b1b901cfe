
/*
 * Copyright (C) rs-gateway contributors
 *
 * The list of devices, and the options of a connection.  DOM only: what the
 * user wants leaves as events, what is to be seen comes in by calls.
 *
 * Events: filter {online?}; more; connect {name, device_id, role, relay_only,
 * reason}.
 */

import { RsEvent } from "../rs-client.js";
import { fillError } from "../rs-dom.js";
import { agentWords, matches, presenceWords } from "../rs-words.js";


export class DevicesPage extends EventTarget {
    #document;
    #shell;
    #devices = null;        /* null: not loaded yet */
    #more = false;
    #rows = new Map();      /* device id -> its row */
    #chosen = null;         /* whose options are open */
    #can;                   /* what the account may do, by verb */

    /** @param {Document} document
     *  @param {{shell: import("../rs-shell.js").RsShell,
     *           can: (verb: string) => boolean}} o */
    constructor(document, {shell, can}) {
        super();
        this.#document = document;
        this.#shell = shell;
        this.#can = can;
        this.#wireDevices();
        this.#wireOptions();
    }

    #get(id) {
        return this.#document.getElementById(id);
    }

    #say(type, detail) {
        this.dispatchEvent(new RsEvent(type, detail));
    }

    /** The account left: what it saw is gone. */
    forget() {
        this.#devices = null;
        this.#rows.clear();
        this.#get("device-list").replaceChildren();
    }

    /** Something else takes the window. */
    hide() {
        this.#get("options").close();
    }

    /* devices */

    #wireDevices() {
        this.#get("search").addEventListener("input", () => this.#render());
        this.#get("devices-more").addEventListener("click",
                                                   () => this.#say("more"));

        for (const radio of this.#radios("show")) {
            radio.addEventListener("change", () => {
                this.#say("filter", radio.value === "online"
                                    ? {online: true} : {});
            });
        }
    }

    #radios(name) {
        return this.#document.querySelectorAll(`input[name="${name}"]`);
    }

    show() {
        fillError(this.#get("devices-error"), null);
        this.#document.title = "Devices · Remote support";
        this.#shell.show("devices");
        this.#render();
        this.#get("devices-title").focus();
    }

    setDevices(devices, more) {
        this.#devices = devices;
        this.#more = more;
        fillError(this.#get("devices-error"), null);
        this.#render();
    }

    devicesError(error) {
        fillError(this.#get("devices-error"), error);
        this.#render();
    }

    #render() {
        const query = this.#get("search").value;
        const all = this.#devices ?? [];
        const shown = all.filter((d) => matches(d, query));
        const list = this.#get("device-list");
        const now = Date.now() / 1000;
        const rows = shown.map((d) => this.#row(d, now));
        const ids = new Set(all.map((d) => d.id));

        for (const id of this.#rows.keys()) {
            if (!ids.has(id)) {
                this.#rows.delete(id);
            }
        }

        /* rows are kept, and moved only when they must: the focus stays */

        if (rows.length !== list.children.length
            || rows.some((row, i) => list.children[i] !== row))
        {
            list.replaceChildren(...rows);
        }

        this.#get("devices-more").hidden = !this.#more;
        this.#renderCount(all, shown);
        this.#renderEmpty(all, shown, query);
    }

    #renderCount(all, shown) {
        const online = all.filter((d) => d.online).length;
        let text = "";

        if (this.#devices === null) {
            text = "Loading…";

        } else if (shown.length < all.length) {
            text = `${shown.length} of ${all.length} shown`;

        } else if (all.length > 0) {
            text = `${online} of ${all.length}${this.#more ? "+" : ""} online`;
        }

        const count = this.#get("devices-count");

        if (count.textContent !== text) {
            count.textContent = text;
        }
    }

    #renderEmpty(all, shown, query) {
        const box = this.#get("devices-empty");
        const only = this.#document
                         .querySelector('input[name="show"]:checked').value;
        let words = ["No devices yet",
                     "Make an enrolment token and run rs-agent with it on a "
                     + "computer: it appears here as soon as it connects."];

        if (query.trim() !== "" && all.length > 0) {
            words = ["Nothing matches",
                     "No device has all of these words in its name, tags or "
                     + "system."];

        } else if (only === "online") {
            words = ["Nothing is online",
                     "Devices show up here while rs-agent is connected."];
        }

        box.hidden = this.#devices === null || shown.length > 0;
        box.querySelector("h2").textContent = words[0];
        box.querySelector("p").textContent = words[1];
    }

    #row(device, now) {
        let row = this.#rows.get(device.id);

        if (row === undefined) {
            row = this.#newRow(device.id);
            this.#rows.set(device.id, row);
        }

        const name = device.name || device.id;
        const set = (selector, text) => {
            const element = row.querySelector(selector);

            if (element.textContent !== text) {
                element.textContent = text;
            }
        };

        row.dataset.online = String(Boolean(device.online));
        set(".name", name);
        set(".about", agentWords(device));
        set(".presence", presenceWords(device, now));

        const connect = row.querySelector(".connect");
        const options = row.querySelector(".options");

        connect.disabled = options.disabled = !device.online;
        connect.hidden = options.hidden = !this.#can("sessions:write");
        connect.setAttribute("aria-label", `Connect to ${name}`);
        options.setAttribute("aria-label", `Connect to ${name} with options`);

        const tags = device.tags ?? [];
        const list = row.querySelector(".tags");

        if (list.children.length !== tags.length
            || tags.some((t, i) => list.children[i].textContent !== t))
        {
            list.replaceChildren(...tags.map((tag) => {
                const item = this.#document.createElement("li");

                item.textContent = tag;
                return item;
            }));
        }

        return row;
    }

    #newRow(id) {
        const row = this.#get("device-row").content.firstElementChild
                        .cloneNode(true);
        const device = () => this.#devices.find((d) => d.id === id);

        row.dataset.device = id;

        row.querySelector(".connect").addEventListener("click", () => {
            const {name} = device();

            this.#say("connect", {name: name || id, device_id: id});
        });

        row.querySelector(".options").addEventListener("click", () => {
            this.#openOptions(device());
        });

        return row;
    }

    /* options */

    #wireOptions() {
        const dialog = this.#get("options");

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
                relay_only: this.#get("options-relay").checked,
                reason: this.#get("options-reason").value.trim(),
            });
        });
    }

    #offerRoles(dialog) {
        for (const radio of dialog.querySelectorAll('input[name="role"]')) {
            radio.disabled = radio.value === "controller"
                             && !this.#can("sessions:control");

            if (radio.disabled && radio.checked) {
                dialog.querySelector('input[value="viewer"]').checked = true;
            }
        }
    }

    #openOptions(device) {
        const dialog = this.#get("options");

        this.#chosen = device;
        dialog.returnValue = "";
        this.#get("options-title").textContent =
            "Connect to " + (device.name || device.id);
        this.#get("options-reason").value = "";
        this.#offerRoles(dialog);
        dialog.showModal();
    }
}
