
/*
 * Copyright (C) rs-gateway contributors
 *
 * The remote screen: picture, pointer and keys, the bar above it, and what
 * is said while there is no picture.  DOM only: mouse and keyboard go to the
 * RsInput handed to show(); the rest of what the user wants leaves as
 * events: leave, retry, compare {known, short}, invite {role, pin}; pin:
 * whether to ask for one.
 *
 * Keys are the remote computer's while the picture has the focus, and never
 * else.  Control + Alt + Shift moves the focus to the bar, so the keyboard
 * is not a trap.
 */

import { RsEvent, recordingOf, systemClock } from "./rs-client.js";
import { CHORDS } from "./rs-input.js";
import { fillError, fillFacts, setText } from "./rs-dom.js";
import { RsSide } from "./rs-side.js";
import { RsTouch } from "./rs-touch.js";
import { candidateWords, endWords, errorWords, pathWords, protocolWords,
         queueWords, rateWords, recordedWords, rttWords, stateWords }
    from "./rs-words.js";


const HINT_MS = 6000;

/* what is said while the picture is not there yet: title, help */
const BUSY = {
    asking: ["Asking the gateway", ""],
    joining: ["Joining the session", ""],
    waiting: ["Waiting for the device", "It has been called and is about to join."],
    starting: ["Starting a browser", "A fresh one, for this session alone."],
    queued: ["Waiting for a free browser", ""],
    recorder: ["Waiting for the recorder", "This session is recorded, and goes on as soon as it is."],
    telling: ["Waiting for whoever you help", "Tell them the code, and where to type it."],
    waiting_consent: ["Waiting for consent", "The person at the device is being asked."],
    connecting: ["Connecting", "Looking for the best path to the device."],
    unsteady: ["The picture stopped", "The path to the device broke. Looking for another one."],
};


export class RsStage extends EventTarget {
    #document;
    #input = null;
    #touch = null;
    #video;
    #side;
    #guest = false;
    #help = false;          /* the host is to be a browser, by a code */
    #session = {};
    #socket = "new";
    #peer = "waiting";
    #control = false;
    #pointer = false;       /* the host shows where ours is, and no more */
    #paused = false;        /* by the person there */
    #path = null;
    #picture = null;
    #rate = null;           /* {at, bytes, bits: null before two of them} */
    #over = false;          /* the last word has been said */
    #problem = null;        /* why the last attempt failed */
    #hintTimer = null;

    constructor(document) {
        super();
        this.#document = document;
        this.#video = this.#get("screen");
        this.#side = new RsSide(document, () => this.#video.focus());
        this.#wirePointer();
        this.#wireKeys();
        this.#wireTyping();
        this.#wireBar();
        this.#wireInvite();
    }

    #get(id) {
        return this.#document.getElementById(id);
    }

    #say(type, detail) {
        this.dispatchEvent(new RsEvent(type, detail));
    }

    /** A feature's button in the bar: see RsSide. */
    addButton(o) {
        return this.#side.addButton(o);
    }

    /** A feature's panel beside the picture: see RsSide. */
    addPanel(o) {
        return this.#side.addPanel(o);
    }

    /** A feature's row between the bar and the picture. */
    addRow(element) {
        this.#get("stage-rows").append(element);
    }

    /** The picture. */
    get video() {
        return this.#video;
    }

    /**
     * @param {{name: string, guest: boolean, invite: boolean, help?: boolean,
     *          input: import("./rs-input.js").RsInput}} o
     */
    show(o) {
        this.#input = o.input;
        this.#touch = new RsTouch(o.input, systemClock);
        this.#guest = o.guest;
        this.#help = o.help ?? false;
        this.#session = {};
        this.#socket = "new";
        this.#peer = "waiting";
        this.#path = null;
        this.#picture = null;
        this.#rate = null;
        this.#over = false;
        this.#problem = null;
        this.#video.srcObject = null;
        this.#setName(o.name);
        this.#get("stage-invite").hidden = !o.invite;
        this.#get("people").replaceChildren();
        this.#get("stage").hidden = false;
        this.setBrowser({pointer: false, paused: false});
        this.setControl(false);
        this.#render();
        this.#video.focus();
    }

    hide() {
        this.#get("stage").hidden = true;
        this.#side.open(null);
        this.#get("invite").close();
        this.#video.srcObject = null;
        this.#touch?.cancel();
        this.#input = null;
        this.#touch = null;

        if (this.#document.fullscreenElement) {
            this.#document.exitFullscreen();
        }
    }

    /* what is told */

    setSession(session) {
        this.#session = session;
        this.#render();
    }

    setSocket(state) {
        this.#socket = state;
        this.#render();
    }

    setPeer(state) {
        if (state === "connected") {
            this.#problem = null;
        }

        this.#peer = state;
        this.#render();
    }

    setStream(stream) {
        this.#video.srcObject = stream;
        this.#video.play().catch(() => {
            /* the next stream replaced this one before it played */
        });
    }

    setControl(control) {
        this.#control = control;
        this.#get("stage").dataset.control = String(control);
        this.#get("keys").hidden = !control;
        this.#get("stage-type").hidden = !control;
        this.#renderState();

        if (control && !this.#document.querySelector("dialog[open]")) {
            this.#video.focus();
        }
    }

    /** What a host that is a browser says of itself. */
    setBrowser({pointer, paused}) {
        this.#pointer = pointer;
        this.#paused = paused;
        this.#renderState();
    }

    setPath(path) {
        this.#path = path;
        this.#renderPath();
    }

    setVideo(video) {
        const now = Date.now();

        const last = this.#rate;

        this.#rate = {at: now, bytes: video.bytes, bits: null};

        /* a new line counts from nothing again */

        if (last !== null && now > last.at && video.bytes >= last.bytes) {
            this.#rate.bits = (video.bytes - last.bytes) * 8000
                              / (now - last.at);
        }

        this.#picture = video;
        this.#renderPath();
    }

    setPeople(peers, self, role) {
        const list = this.#get("people");
        const all = [{id: self, role, name: "You", you: true},
                     ...peers.filter((p) => p.state !== "invited")];

        list.replaceChildren(...all.map((peer) => {
            const item = this.#document.createElement("li");
            const what = this.#document.createElement("small");

            what.textContent = " " + peer.role
                               + (peer.state === "away" ? ", away" : "");
            item.append(peer.name || "Unnamed", what);

            return item;
        }));

        const host = peers.find((p) => p.role === "host");

        if (this.#guest && host?.name) {
            this.#setName(this.#session.host?.type === "render"
                          ? "Shared browser" : host.name);
        }
    }

    #setName(name) {
        setText(this.#get("stage-name"), name);
        this.#video.setAttribute("aria-label", `Screen of ${name}`);
        this.#document.title = `${name} · Remote support`;
    }

    /** Why an attempt failed; there may be another one. */
    problem(error) {
        this.#problem = error;
        this.#render();
    }

    ended(reason) {
        this.#session = {...this.#session, state: "ended"};
        this.#last(endWords(reason), "over", "");
    }

    /** It is over because of an error. */
    over(error) {
        const words = errorWords(error);

        this.#last(words, "error", words.detail);
    }

    guestOver() {
        this.#video.srcObject = null;
        this.#last({title: "You have left the session",
                    help: "This page can be closed."}, "over", "");
    }

    /* the picture stays, dimmed: it is what the user was looking at */
    #last({title, help}, kind, detail) {
        this.#over = true;
        this.#input?.release();
        this.setControl(false);
        this.#render();
        this.#overlay(kind, title, help, detail, !this.#guest);

        if (!this.#guest) {
            this.#get("overlay-retry").focus();
        }
    }

    /* the overlay says the most important of what is known */

    #render() {
        const stage = this.#get("stage");
        const busy = this.#busy();

        stage.dataset.state = this.#over ? "over" : busy ?? "connected";
        stage.dataset.socket = this.#socket;
        this.#get("stage-invite").disabled = this.#over
                                             || this.#socket !== "open";
        this.#renderState();
        this.#renderPath();
        this.#renderRecording();

        if (this.#over) {
            return;
        }

        if (this.#peer === "failed") {
            const words = errorWords(this.#problem ?? {code: "peer_failed"});

            stage.dataset.state = "failed";
            this.#overlay("error", words.title, words.help, words.detail,
                          true);
            return;
        }

        if (busy !== null) {
            const [title, help] = BUSY[this.#reason(busy)];

            this.#overlay("busy", title, help || queueWords(this.#session),
                          this.#problem === null
                          ? "" : errorWords(this.#problem).detail, false);
            return;
        }

        this.#get("overlay").hidden = true;
    }

    /* what exactly is waited for */
    #reason(busy) {
        if (busy !== "waiting") {
            return busy;
        }

        if (this.#session.state === "waiting_recorder") {
            return "recorder";
        }

        if (this.#session.host?.type === "render") {
            return Number.isInteger(this.#session.queue) ? "queued"
                                                         : "starting";
        }

        return this.#help ? "telling" : "waiting";
    }

    /* null: there is a picture, or should be */
    #busy() {
        if (this.#peer === "connected") {
            return null;
        }

        if (this.#peer === "unsteady") {
            return "unsteady";
        }

        if (this.#socket === "new") {
            return "asking";
        }

        if (this.#socket !== "open" && this.#peer === "waiting") {
            return "joining";
        }

        if (this.#session.state === "waiting_consent"
            || this.#peer === "asking")
        {
            return "waiting_consent";
        }

        return this.#peer === "waiting"
               || this.#session.state === "waiting_recorder"
               ? "waiting" : "connecting";
    }

    #renderState() {
        const parts = [];

        if (this.#over && this.#session.state !== "ended") {
            parts.push("Not connected");

        } else if (!this.#over && this.#peer === "connected"
                   && this.#socket !== "open")
        {
            parts.push("Gateway lost, coming back");

        } else if (this.#help && this.#session.state === "waiting_host") {
            parts.push("Nobody is here yet");

        } else if (this.#session.host?.type === "render"
                   && this.#session.state === "waiting_host")
        {
            parts.push("Waiting for a browser");

        } else if (this.#session.state) {
            /* who reports a path is not told that this made it active */
            parts.push(stateWords(this.#peer === "connected" && !this.#over
                                  ? "active" : this.#session.state));
        }

        if (this.#session.policy?.relay_only) {
            parts.push("relay only");
        }

        if (this.#peer === "connected" && !this.#control && !this.#over) {
            parts.push(this.#pointer ? "view and pointer only" : "view only");
        }

        if (this.#peer === "connected" && this.#paused && !this.#over) {
            parts.push("paused by the person there");
        }

        const text = parts.join(" · ");
        const state = this.#get("stage-state");

        if (state.textContent !== text) {
            state.textContent = text;
        }
    }

    /* whoever is here must see it */
    #renderRecording() {
        const box = this.#get("recording");
        const state = this.#over ? "off" : recordingOf(this.#session);
        const words = recordedWords(state);

        box.hidden = state === "off";
        box.dataset.recording = state;
        box.title = words.help;
        setText(this.#get("recording-text"), words.chip);
    }

    #renderPath() {
        const path = this.#peer === "connected" && !this.#over
                     ? this.#path : null;
        const box = this.#get("path");

        box.dataset.kind = path?.kind ?? "";
        box.dataset.protocol = path?.protocol ?? "";
        box.dataset.local = path?.local ?? "";
        box.dataset.remote = path?.remote ?? "";
        box.dataset.region = path?.region ?? "";
        box.dataset.frames = String(this.#picture?.frames ?? "");
        this.#get("path-text").textContent = path === null
                                             ? "No path" : pathWords(path);

        const facts = path === null ? [["Path", "none"]] : [
            ["Path", path.kind === "pipe" ? "through the gateway, sealed"
                     : path.kind === "relay" ? "through a relay" : "direct"],
            ["Protocol", protocolWords(path.protocol)],
            ...(path.kind === "pipe" ? [] : [
                ["This side", candidateWords(path.local)],
                ["Other side", candidateWords(path.remote)]]),
            ["Round trip", rttWords(path.rtt_ms)],
            ...(path.region ? [["Relay's region", path.region]] : []),
        ];

        if (this.#picture !== null) {
            facts.push(["Picture", `${this.#picture.width} × ${
                                      this.#picture.height}`],
                       ["Frames", `${this.#picture.fps} per second`],
                       ["Data rate", this.#rate.bits === null
                                     ? "…" : rateWords(this.#rate.bits)]);
        }

        if (this.#session.id) {
            facts.push(["Session", this.#session.id]);
        }

        fillFacts(this.#get("path-facts"), facts);
    }

    #overlay(kind, title, help, detail, retry) {
        const box = this.#get("overlay");

        box.dataset.kind = kind;
        box.hidden = false;

        for (const [id, text] of [["overlay-title", title],
                                  ["overlay-help", help],
                                  ["overlay-detail", detail]])
        {
            if (this.#get(id).textContent !== text) {
                this.#get(id).textContent = text;
            }
        }

        this.#get("overlay-retry").hidden = !retry;
        this.#get("overlay-pin").hidden = !retry
            || this.#problem?.code !== "device_changed";
        this.#get("overlay-back").hidden = this.#guest;
        this.#get("overlay-back").textContent = kind === "busy"
                                                ? "Cancel" : "Back to devices";
    }

    /* pointer */

    #wirePointer() {
        const video = this.#video;
        const at = (ev) => {
            const box = video.getBoundingClientRect();

            return [ev.clientX - box.left, ev.clientY - box.top];
        };

        const on = (type, f) => video.addEventListener(type, (ev) => {
            if (!this.#control) {
                return;
            }

            const box = video.getBoundingClientRect();

            this.#input.setGeometry(box.width, box.height, video.videoWidth,
                                    video.videoHeight);
            f(ev);
        }, {passive: false});

        on("pointermove", (ev) => {
            if (ev.pointerType === "touch") {
                this.#touch.move(ev.pointerId, ...at(ev));
                return;
            }

            this.#input.move(...at(ev));
        });

        /* of a mouse this comes for its first button only: see mousedown */

        on("pointerdown", (ev) => {
            video.setPointerCapture(ev.pointerId);

            if (ev.pointerType === "touch") {
                /* and no mouse events made up from it */
                ev.preventDefault();
                this.#touch.down(ev.pointerId, ...at(ev));
            }
        });

        on("pointerup", (ev) => {
            if (ev.pointerType === "touch") {
                this.#touch.up(ev.pointerId, ...at(ev));
            }
        });

        on("pointercancel", () => {
            this.#touch.cancel();
            this.#input.release();
        });

        on("mousedown", (ev) => {
            ev.preventDefault();
            video.focus();
            this.#input.buttonDown(ev.button, ...at(ev));
        });

        on("mouseup", (ev) => {
            ev.preventDefault();
            this.#input.buttonUp(ev.button, ...at(ev));
        });

        on("wheel", (ev) => {
            ev.preventDefault();
            this.#input.wheel(ev.deltaX, ev.deltaY, ev.deltaMode, ...at(ev));
        });

        for (const type of ["contextmenu", "auxclick", "dragstart"]) {
            on(type, (ev) => ev.preventDefault());
        }
    }

    /* keys */

    #wireKeys() {
        const video = this.#video;
        const document = this.#document;

        video.addEventListener("keydown", (ev) => {
            if (!this.#control) {
                return;
            }

            if (this.#input.keyDown(ev)) {
                ev.preventDefault();
            }

            if (this.#input.escaping) {
                this.#input.release();
                this.#get("stage-leave").focus();
            }
        });

        video.addEventListener("keyup", (ev) => {
            if (this.#control && this.#input.keyUp(ev)) {
                ev.preventDefault();
            }
        });

        video.addEventListener("focus", () => this.#hint(this.#control));

        video.addEventListener("blur", () => {
            this.#hint(false);
            this.#input?.release();
        });

        document.addEventListener("visibilitychange", () => {
            if (document.hidden) {
                this.#input?.release();
            }
        });
    }

    /* a phone's keyboard gives text, not keys: an unseen field takes it */
    #wireTyping() {
        const field = this.#get("typing");
        const named = {deleteContentBackward: "Backspace",
                       insertLineBreak: "Enter",
                       insertParagraph: "Enter"};

        this.#get("stage-type").addEventListener("click",
                                                 () => field.focus());

        field.addEventListener("beforeinput", (ev) => {
            const key = named[ev.inputType];

            if (key && !ev.isComposing) {
                ev.preventDefault();
                this.#input?.press(key, key);
            }
        });

        field.addEventListener("input", (ev) => {
            if (ev.isComposing) {
                return;
            }

            this.#input?.text(field.value);
            field.value = "";
        });

        field.addEventListener("compositionend", () => {
            this.#input?.text(field.value);
            field.value = "";
        });
    }

    #hint(show) {
        const hint = this.#get("screen-hint");

        clearTimeout(this.#hintTimer);
        hint.hidden = !show;

        if (show) {
            this.#hintTimer = setTimeout(() => {
                hint.hidden = true;
            }, HINT_MS);
        }
    }

    /* the bar */

    #wireBar() {
        const document = this.#document;
        const menu = this.#get("keys-menu");

        for (const chord of CHORDS) {
            const button = document.createElement("button");

            button.type = "button";
            button.textContent = chord.label;
            button.dataset.chord = chord.id;
            button.addEventListener("click", () => {
                this.#input.chord(chord.keys);
                this.#get("keys").open = false;
                this.#video.focus();
            });
            menu.append(button);
        }

        for (const id of ["stage-leave", "overlay-back"]) {
            this.#get(id).addEventListener("click", () => this.#say("leave"));
        }

        this.#get("overlay-retry").addEventListener("click",
                                                    () => this.#say("retry"));
        this.#get("overlay-pin").addEventListener("click", () => {
            const {known, short} = this.#problem;

            this.#say("compare", {known, short});
        });

        this.#wireDrops();
        this.#wireFull();
    }

    /* panels close by Escape, and by a press elsewhere */
    #wireDrops() {
        const document = this.#document;
        const drops = [this.#get("path"), this.#get("trust"),
                       this.#get("keys")];

        document.addEventListener("pointerdown", (ev) => {
            for (const drop of drops) {
                if (!drop.contains(ev.target)) {
                    drop.open = false;
                }
            }
        });

        for (const drop of drops) {
            drop.addEventListener("keydown", (ev) => {
                if (ev.key === "Escape") {
                    drop.open = false;
                    drop.querySelector("summary").focus();
                }
            });
        }
    }

    #wireFull() {
        const document = this.#document;
        const button = this.#get("stage-full");

        button.hidden = !document.fullscreenEnabled;

        button.addEventListener("click", async () => {
            if (document.fullscreenElement) {
                await document.exitFullscreen();
                return;
            }

            await this.#get("stage").requestFullscreen();

            /* in full screen a browser may hand over Alt + Tab and the like */
            await navigator.keyboard?.lock?.();
            this.#video.focus();
        });

        document.addEventListener("fullscreenchange", () => {
            button.setAttribute("aria-pressed",
                                String(document.fullscreenElement !== null));

            if (!document.fullscreenElement) {
                navigator.keyboard?.unlock?.();
            }
        });
    }

    /* guests */

    #wireInvite() {
        const dialog = this.#get("invite");
        const link = this.#get("invite-link");
        const copy = this.#get("invite-copy");

        this.#get("stage-invite").addEventListener(
            "click", () => this.#openInvite());

        this.#get("invite-make").addEventListener("click", () => {
            this.#say("invite", {
                role: dialog.querySelector('input[name="guest"]:checked')
                            .value,
                pin: this.#get("invite-pin-on").checked,
            });
        });

        copy.addEventListener("click", async () => {
            link.select();
            await navigator.clipboard.writeText(link.value);
            copy.textContent = "Copied";
        });

        dialog.addEventListener("close", () => {
            link.value = "";
            this.#get("invite-pin-text").textContent = "";
        });
    }

    /** Opens the dialog for guests, and has a link made at once. */
    inviteNow(role) {
        const dialog = this.#get("invite");

        dialog.querySelector(`input[name="guest"][value="${role}"]`)
              .checked = true;
        this.#openInvite();
        this.#get("invite-make").click();
    }

    #openInvite() {
        this.#get("invite-made").hidden = true;
        fillError(this.#get("invite-error"), null);
        this.#get("invite-link").value = "";
        this.#get("invite").showModal();
    }

    /** @param {string} url  @param {string|null} pin */
    inviteMade(url, pin) {
        fillError(this.#get("invite-error"), null);
        this.#get("invite-pin").hidden = pin === null;
        this.#get("invite-pin-text").textContent = pin ?? "";
        this.#get("invite-link").value = url;
        this.#get("invite-copy").textContent = "Copy";
        this.#get("invite-made").hidden = false;
    }

    inviteError(error) {
        this.#get("invite-made").hidden = true;
        fillError(this.#get("invite-error"), error);
    }
}
