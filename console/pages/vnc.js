
/*
 * Copyright (C) rs-gateway contributors
 *
 * The screen of a VNC server at a device or behind it: noVNC on a pipe, and
 * the two questions that come before it: which server, which password.
 */

import RFB from "../vendor/novnc/core/rfb.js";
import { el, setText } from "../rs-dom.js";
import { ReachWindow } from "./reach.js";


const PLACE = "127.0.0.1:5900";


/* noVNC's idea of a socket, of a pipe that is open */
class PipeChannel {
    binaryType = "arraybuffer";
    protocol = "";
    readyState = "open";
    onopen = null;
    onmessage = null;
    onerror = null;
    onclose = null;
    #pipe;

    constructor(pipe) {
        this.#pipe = pipe;
        pipe.addEventListener("data", (ev) => this.onmessage?.(
            {data: ev.detail.slice().buffer}));
        pipe.addEventListener("end", () => pipe.end());
        pipe.addEventListener("close", ({detail}) => {
            this.readyState = "closed";
            this.onclose?.({code: detail.clean ? 1000 : 1006,
                            reason: detail.error?.code ?? "",
                            wasClean: detail.clean});
        });
    }

    send(data) {
        this.#pipe.send(data instanceof Uint8Array ? data.slice()
                                                   : new Uint8Array(data));
    }

    close() {
        this.readyState = "closing";
        this.#pipe.end();
    }
}


export class VncDialog {
    #window;
    #ask;
    #device = null;
    #parts = {};

    /**
     * @param {Document} document
     * @param {{app: any}} o
     */
    constructor(document, {app}) {
        this.#ask = document.getElementById("vnc-ask");
        this.#window = new ReachWindow(document.getElementById("vnc"), {
            app, kind: "VNC", stream: true,
            show: (box, pipe) => showScreen(box, pipe),
        });
        this.#build();
    }

    #build() {
        const p = this.#parts;

        p.title = el("h2", {id: "vnc-ask-title"});
        p.place = el("input", {type: "text", id: "vnc-place", required: true,
                               maxlength: "255", spellcheck: "false",
                               pattern: ".+:[0-9]{1,5}",
                               "aria-describedby": "vnc-place-note"});

        this.#ask.append(el("form", {method: "dialog"}, p.title,
            el("label", {for: "vnc-place"}, "VNC server"), p.place,
            el("p", {class: "note", id: "vnc-place-note"},
               "As the device sees it: address and port. Its configuration "
               + "has to allow it."),
            el("menu", {},
               el("button", {type: "button", class: "quiet",
                             onclick: () => this.#ask.close("")}, "Cancel"),
               el("button", {type: "submit", class: "primary", value: "go"},
                  "Connect"))));

        this.#ask.addEventListener("close", () => {
            if (this.#ask.returnValue === "go") {
                this.#window.open(this.#device, p.place.value.trim());
            }
        });
    }

    open(device) {
        this.#device = device;
        this.#ask.returnValue = "";
        setText(this.#parts.title,
                `VNC by way of ${device.name || device.id}`);
        this.#parts.place.value ||= PLACE;
        this.#ask.showModal();
    }

    hide() {
        this.#ask.close("");
        this.#window.hide();
    }
}


function showScreen(box, pipe) {
    const screen = el("div", {class: "vnc-screen"});
    const ask = el("form", {class: "vnc-password", hidden: true});

    box.append(screen, ask);

    const rfb = new RFB(screen, new PipeChannel(pipe), {shared: true});

    rfb.scaleViewport = true;
    rfb.addEventListener("credentialsrequired",
                         (ev) => askFor(ask, ev.detail.types, rfb));
    rfb.addEventListener("securityfailure", () => {
        ask.hidden = true;
    });

    return {
        focus: () => rfb.focus(),
        close: () => rfb.disconnect(),
    };
}


/* what the server wants to know; it goes into its own handshake only */
function askFor(form, types, rfb) {
    const fields = types.map((type) => [type, el("input", {
        type: type === "password" ? "password" : "text", maxlength: "255",
        autocomplete: "off", spellcheck: "false", id: `vnc-${type}`})]);

    form.hidden = false;
    form.replaceChildren(
        ...fields.flatMap(([type, input]) => [
            el("label", {for: input.id},
               type[0].toUpperCase() + type.slice(1)), input]),
        el("button", {type: "submit", class: "primary"}, "Send"));
    fields[0]?.[1].focus();

    form.onsubmit = (ev) => {
        ev.preventDefault();
        form.hidden = true;
        rfb.sendCredentials(Object.fromEntries(
            fields.map(([type, input]) => [type, input.value])));
        rfb.focus();
    };
}
