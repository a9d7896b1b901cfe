
/*
 * Copyright (C) rs-gateway contributors
 *
 * How the remote screen is shown: its size on the page, which of its
 * monitors, a picture of it to keep, the pointer, and on demand its sound.
 *
 * The remote pointer is not in the picture where the device can leave it
 * out: it is this browser's own, in the shape that the device says, so that
 * it moves without delay.  Where somebody else moves it, or no mouse is over
 * the picture, it is drawn where the device says it is.
 */

import { el, setText } from "./rs-dom.js";


const CURSOR_MAX = 96;
const MONITORS_MAX = 16;
const WHOLE = "screen";
const MINE_MS = 500;        /* after an own move the device's word is old */
const NEAR = 655;           /* of 65536: a hundredth of the picture */
const DECODER_MS = 2000;    /* between two words on the decoder */
const EDGE = 32;            /* pixels of the page */
const PAN = 14;             /* of them, a frame */

const ICON = "M3 5h18v11H3zM8 20h8M12 16v4";
const SOUND = "M4 10v4h4l5 4V6L8 10zM16.5 9a4 4 0 0 1 0 6M19 6.5a8 8 0 0 1 0 11";

const SCALES = [
    ["fit", "Fit", "All of it, as large as there is room"],
    ["width", "Full width", "As wide as there is room; scrolls"],
    ["actual", "Actual size", "A pixel for a pixel; scrolls"],
];


function whole(value, least, most) {
    return Number.isInteger(value) && value >= least && value <= most;
}


/**
 * The shape of the pointer out of a message: {url, x, y, css}, null when it
 * is not one.
 */
export function cursorOf(message) {
    const {width, height, x, y, png} = message;

    if (!whole(width, 1, CURSOR_MAX) || !whole(height, 1, CURSOR_MAX)
        || !whole(x, 0, width - 1) || !whole(y, 0, height - 1)
        || typeof png !== "string" || !/^[A-Za-z0-9+/]+={0,2}$/.test(png))
    {
        return null;
    }

    const url = `data:image/png;base64,${png}`;

    return {url, x, y, css: `url("${url}") ${x} ${y}, crosshair`};
}


/** The monitors there are to choose from; [] when there is no choice. */
export function monitorsOf(features) {
    const list = Array.isArray(features?.monitors) ? features.monitors : [];
    const fine = list.slice(0, MONITORS_MAX).filter(
        (m) => typeof m?.id === "string" && m.id !== "" && m.id !== WHOLE
               && whole(m.width, 1, 65535) && whole(m.height, 1, 65535));

    return fine.length < 2 ? [] : fine.map((m) => ({
        id: m.id,
        name: `${m.id} · ${m.width} × ${m.height}${
              m.primary === true ? ", primary" : ""}`,
    }));
}


/**
 * What is told of the decoder out of two looks at the video's figures, a few
 * seconds apart; null: another line, or nothing to tell.
 */
export function decoderOf(before, after, ms) {
    const frames = after.frames - before.frames;
    const dropped = after.dropped - before.dropped;
    const decode_ms = after.decode_ms - before.decode_ms;
    const span_ms = Math.round(ms);

    if (!whole(frames, 0, 10000) || !whole(dropped, 0, 10000)
        || !whole(decode_ms, 0, 60000) || !whole(span_ms, 100, 60000)
        || frames + dropped === 0)
    {
        return null;
    }

    return {type: "decoder", span_ms, frames, dropped, decode_ms};
}


/** Where in a box of that size the picture is: it keeps its proportions. */
export function pictureIn(boxWidth, boxHeight, width, height) {
    const scale = width > 0 && height > 0
                  ? Math.min(boxWidth / width, boxHeight / height) : 0;

    return {x: (boxWidth - width * scale) / 2,
            y: (boxHeight - height * scale) / 2,
            width: width * scale, height: height * scale, scale};
}


/** Whether the pointer is drawn where the device says, not left to the mouse. */
export function drawn({control, over, mine, minedAt, told, now}) {
    if (told === null) {
        return false;
    }

    if (!control || !over || mine === null) {
        return true;
    }

    return now - minedAt > MINE_MS
           && Math.max(Math.abs(told.x - mine.x),
                       Math.abs(told.y - mine.y)) > NEAR;
}


export class RsScreen {
    #page;
    #stage;
    #video;
    #canvas;
    #pointer;               /* the element that is drawn */
    #panel;
    #monitors;
    #sound;                 /* the button */
    #audio;
    #peer = null;
    #greeted = false;       /* the device knows rs-screen */
    #figures = null;        /* {at, video}: of the decoder, told last */
    #monitor = WHOLE;
    #channel = null;
    #cursor = null;
    #scale = "fit";
    #told = null;           /* where the pointer is, by the device */
    #mine = null;           /* by this mouse */
    #minedAt = 0;
    #over = false;
    #pan = {x: 0, y: 0, frame: 0};

    /** @param {import("./pages/session.js").SessionPage} page */
    constructor(page) {
        this.#page = page;
        this.#stage = document.getElementById("stage");
        this.#video = page.stage.video;
        this.#canvas = this.#video.parentElement;
        this.#pointer = el("img", {class: "remote-pointer", alt: "",
                                   "aria-hidden": "true", hidden: true});
        this.#canvas.append(this.#pointer);
        this.#panel = page.stage.addPanel({
            id: "screen", icon: ICON, title: "Screen", label: "Screen",
            order: 10, build: (element) => this.#build(element)});

        this.#audio = el("audio", {id: "sound", autoplay: true});
        this.#canvas.append(this.#audio);
        this.#sound = page.stage.addButton({
            id: "sound", icon: SOUND, title: "Sound", label: "Sound",
            order: 11, hidden: true, onClick: () => this.#hear()});
        this.#sound.setAttribute("aria-pressed", "false");

        page.addEventListener("begin", () => this.#begin());
        page.addEventListener("peer", (ev) => this.#meet(ev.detail));
        page.addEventListener("hello", (ev) => this.#hello(ev.detail));
        page.addEventListener("end", () => this.#begin());

        this.#video.addEventListener("resize", () => this.#layout());
        new ResizeObserver(() => this.#layout()).observe(this.#canvas);
        this.#watchMouse();
    }

    #build(element) {
        const radio = ([value, name, help]) => el("label", {class: "choice"},
            el("input", {type: "radio", name: "scale", value,
                         checked: value === this.#scale,
                         onchange: () => this.scale(value)}),
            el("span", {}, el("b", {}, name), el("small", {}, help)));

        this.#monitors = el("fieldset", {id: "monitors", hidden: true},
                            el("legend", {}, "Monitor"));

        element.append(
            el("fieldset", {}, el("legend", {}, "Size"),
               ...SCALES.map(radio)),
            this.#monitors,
            el("button", {type: "button", class: "quiet", id: "screenshot",
                          onclick: () => this.#shoot()}, "Save a screenshot"),
            el("p", {class: "muted", id: "screenshot-state",
                     role: "status"}));
    }

    #begin() {
        this.#channel = null;
        this.#cursor = null;
        this.#told = null;
        this.#monitor = WHOLE;
        this.#monitors.hidden = true;
        this.#video.style.removeProperty("--pointer");
        this.#stage.dataset.pointer = "";
        setText(document.getElementById("screenshot-state"), "");
        this.#peer = null;
        this.#greeted = false;
        this.#audio.srcObject = null;
        this.#sound.hidden = true;
        this.#sound.setAttribute("aria-pressed", "false");
        this.#draw();
    }

    /* what the device says */

    #meet(run) {
        const channel = run.peer.channel("rs-screen");

        const {peer} = run;

        this.#peer = peer;
        this.#figures = null;
        peer.addEventListener("video", (ev) => {
            if (this.#peer === peer) {
                this.#tell(ev.detail);
            }
        });
        peer.addEventListener("sound", (ev) => {
            if (this.#peer === peer) {
                this.#play(ev.detail);
            }
        });

        this.#channel = channel;
        channel.addEventListener("message", (ev) => {
            if (this.#channel === channel) {
                this.#heard(ev.detail);
            }
        });
    }

    #heard(message) {
        switch (message.type) {

        case "hello":
            this.#greeted = true;

            if (message.pointer === true && !this.#asked()) {
                this.#channel.send({type: "pointer", own: true});
            }

            this.#monitor = typeof message.monitor === "string"
                            ? message.monitor : WHOLE;
            this.#mark();
            break;

        case "cursor":
            this.#shape(cursorOf(message));
            break;

        case "pointer":
            this.#told = whole(message.x, 0, 65535)
                         && whole(message.y, 0, 65535)
                         ? {x: message.x, y: message.y} : null;
            this.#draw();
            break;
        }
    }

    /* a device need not send more frames than this browser decodes */

    #tell(video) {
        const at = performance.now();
        const last = this.#figures;

        if (last !== null && at - last.at < DECODER_MS) {
            return;
        }

        this.#figures = {at, video};

        const said = last === null || document.hidden
                     ? null : decoderOf(last.video, video, at - last.at);

        if (said !== null && this.#greeted) {
            this.#channel.send(said);
        }
    }

    /* sound: nothing is sent until somebody wants it */

    #hear() {
        this.#peer.hear(!this.#peer.hears);
        this.#sound.setAttribute("aria-pressed", String(this.#peer.hears));
    }

    #play(stream) {
        this.#audio.srcObject = stream;

        if (stream !== null) {
            this.#audio.play().catch(() => {
                /* the next stream replaced this one before it played */
            });
        }
    }

    /* a device that cannot leave it out says so again, and is not asked */
    #asked() {
        const asked = this.#stage.dataset.pointer === "asked";

        this.#stage.dataset.pointer = asked ? "" : "asked";

        return asked;
    }

    #shape(cursor) {
        if (cursor === null) {
            return;
        }

        this.#cursor = cursor;
        this.#pointer.src = cursor.url;
        this.#stage.dataset.pointer = "own";
        this.#video.style.setProperty("--pointer", cursor.css);
        this.#draw();
    }

    get #control() {
        return this.#stage.dataset.control === "true";
    }

    /* monitors */

    #hello(run) {
        const list = monitorsOf(run.hello.features);
        const legend = this.#monitors.firstElementChild;
        const all = [{id: WHOLE, name: "All of them"}, ...list];

        this.#sound.hidden = run.hello.features?.sound !== true;
        this.#monitors.hidden = list.length === 0;
        this.#monitors.replaceChildren(legend, ...all.map(({id, name}) =>
            el("label", {class: "choice"},
               el("input", {type: "radio", name: "monitor", value: id,
                            onchange: () => this.#channel?.send(
                                {type: "monitor", id})}),
               el("span", {}, name))));
        this.#mark();
        this.#draw();
    }

    #mark() {
        for (const input of this.#monitors.querySelectorAll("input")) {
            input.checked = input.value === this.#monitor;
        }
    }

    /* the pointer */

    #watchMouse() {
        const video = this.#video;

        video.addEventListener("pointermove", (ev) => {
            const box = video.getBoundingClientRect();
            const p = pictureIn(box.width, box.height, video.videoWidth,
                                video.videoHeight);

            this.#edge(ev);

            if (ev.pointerType === "touch" || p.scale === 0) {
                return;
            }

            this.#over = true;
            this.#minedAt = Date.now();
            this.#mine = {
                x: (ev.clientX - box.left - p.x) / p.width * 65536,
                y: (ev.clientY - box.top - p.y) / p.height * 65536};
            this.#draw();
        });

        video.addEventListener("pointerleave", () => {
            this.#over = false;
            this.#pan.x = 0;
            this.#pan.y = 0;
            this.#draw();
        });
    }

    #draw() {
        const video = this.#video;
        const show = this.#cursor !== null && video.videoWidth > 0 && drawn({
            control: this.#control, over: this.#over, mine: this.#mine,
            minedAt: this.#minedAt, told: this.#told, now: Date.now()});

        this.#pointer.hidden = !show;

        if (show) {
            const p = pictureIn(video.clientWidth, video.clientHeight,
                                video.videoWidth, video.videoHeight);
            const x = p.x + this.#told.x / 65536 * p.width - this.#cursor.x;
            const y = p.y + this.#told.y / 65536 * p.height - this.#cursor.y;

            this.#pointer.style.transform = `translate(${x}px, ${y}px)`;
        }
    }

    /* sizes */

    /** @param {"fit"|"width"|"actual"} scale */
    scale(scale) {
        this.#scale = scale;
        this.#layout();
        this.#video.focus({preventScroll: true});
    }

    #layout() {
        const video = this.#video;
        const {videoWidth, videoHeight} = video;
        const large = this.#scale !== "fit" && videoWidth > 0;
        const width = this.#scale === "actual"
                      ? videoWidth / devicePixelRatio
                      : this.#canvas.clientWidth;

        this.#canvas.dataset.scale = large ? this.#scale : "fit";
        video.style.width = large ? `${width}px` : "";
        video.style.height = large ? `${width * videoHeight / videoWidth}px`
                                   : "";
        this.#draw();
    }

    /* a pointer at the edge moves what is beyond it in */
    #edge(ev) {
        const box = this.#canvas.getBoundingClientRect();
        const side = (at, from, to) => at < from + EDGE ? -1
                                       : at > to - EDGE ? 1 : 0;

        this.#pan.x = side(ev.clientX, box.left, box.right);
        this.#pan.y = side(ev.clientY, box.top, box.bottom);

        if (this.#canvas.dataset.scale !== "fit" && this.#pan.frame === 0
            && (this.#pan.x !== 0 || this.#pan.y !== 0))
        {
            this.#pan.frame = requestAnimationFrame(() => this.#slide());
        }
    }

    #slide() {
        const {x, y} = this.#pan;

        this.#pan.frame = 0;

        if (this.#canvas.dataset.scale !== "fit" && (x !== 0 || y !== 0)) {
            this.#canvas.scrollBy(x * PAN, y * PAN);
            this.#pan.frame = requestAnimationFrame(() => this.#slide());
        }
    }

    /* a picture to keep */

    async #shoot() {
        const video = this.#video;
        const state = document.getElementById("screenshot-state");

        if (video.videoWidth === 0) {
            setText(state, "There is no picture yet.");
            return;
        }

        const canvas = el("canvas");

        canvas.width = video.videoWidth;
        canvas.height = video.videoHeight;
        canvas.getContext("2d").drawImage(video, 0, 0);

        const blob = await new Promise((resolve) => canvas.toBlob(resolve));
        const url = URL.createObjectURL(blob);
        const name = document.getElementById("stage-name").textContent
                             .replace(/[^\p{L}\p{N}._-]+/gu, "-")
                             .slice(0, 64) || "screen";
        const at = new Date().toISOString().slice(0, 19).replace(/:/g, "-");

        el("a", {href: url, download: `${name} ${at}.png`}).click();
        setTimeout(() => URL.revokeObjectURL(url), 10000);
        setText(state, "Saved.");
    }
}


export function installScreen(page) {
    return new RsScreen(page);
}
