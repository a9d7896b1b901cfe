
/*
 * Copyright (C) rs-gateway contributors
 *
 * The window in which a recording is looked at: it is fetched through a pipe,
 * or is a file; compared with what the recorder signed; opened with an
 * auditor's key, which stays in this page; and played, with what happened
 * beside it.
 */

import { AuditorKey, openSealed, wantsPassphrase } from "../rs-cms.js";
import { el, fillError, fillFacts, icon, setText } from "../rs-dom.js";
import { fetchRecording } from "../rs-fetch.js";
import { RsError } from "../rs-client.js";
import { RsPlayer } from "../rs-player.js";
import { Recording, verdictWords } from "../rs-recording.js";
import { byteWords, gapWords, lengthWords, timeWords, trackWords }
    from "../rs-words.js";


const SPEEDS = [0.5, 1, 2, 4, 8];
const STEP_S = 10;
const PLAY = "M8 5l11 7-11 7z";
const PAUSE = "M9 6v12M15 6v12";
const FIT_EVENTS = 2000;    /* in the list; all are counted */
const NOT_ASKED = "not known here";


/* why the gateway did not say */
function whyNot({code}, what) {
    return code === "not_found" ? `${what} that the gateway does not know`
           : code === "forbidden" ? `${what} that you may not see`
           : `${what} that the gateway could not be asked for`;
}


function shorten(key) {
    return `${key.slice(0, 10)}…${key.slice(-6)}`;
}


export class PlayerDialog {
    #app;
    #dialog;
    #parts = {};
    #listed = null;         /* the catalogue's row that was opened */
    #turn = 0;              /* what an older one still does is too late */
    #blob = null;
    #recording = null;
    #auditor = null;
    #player = null;
    #abort = null;

    /** @param {Document} document  @param {{app: any}} o */
    constructor(document, {app}) {
        this.#app = app;
        this.#dialog = document.getElementById("player");
        this.#build();
        this.#wireVideo();
        this.#dialog.addEventListener("close", () => this.#end());
    }

    /** @param {{recording?: any, title?: string, file?: File}} what */
    open({recording = null, title = "", file = null}) {
        this.#end();
        setText(this.#parts.title, title || file?.name || "Recording");
        this.#listed = recording;
        this.#dialog.showModal();

        if (file !== null) {
            this.#take(file);
            return;
        }

        this.#fetch(recording);
    }

    hide() {
        this.#dialog.close();
    }

    #end() {
        const p = this.#parts;

        this.#turn++;
        this.#abort?.abort();
        this.#abort = null;
        this.#player?.close();
        this.#player = null;
        this.#recording = null;
        this.#auditor = null;
        this.#blob = null;
        p.pass.value = "";
        p.choice.value = "";
        p.go.disabled = true;
        p.passRow.hidden = true;
        p.events.replaceChildren();
        p.marks.replaceChildren();
        p.facts.replaceChildren();
        p.findings.replaceChildren();
        p.verdict.hidden = true;
        p.save.hidden = true;
        this.#show("load");
        this.#error(null);
        this.#said("");
    }

    /* elements */

    #build() {
        const p = this.#parts;
        const button = (id, kind, text, f) => el(
            "button", {type: "button", class: kind, id: `player-${id}`,
                       onclick: f}, text);

        p.title = el("h2", {id: "player-title"});
        p.state = el("p", {class: "muted", role: "status",
                           id: "player-state"});
        p.save = button("save", "quiet", "Save the file",
                        () => this.#save());
        p.error = el("div", {class: "error", role: "alert", hidden: true});
        p.bar = el("progress", {"aria-label": "How much is there"});
        p.load = el("div", {class: "player-load"}, p.bar);
        this.#buildKey();
        this.#buildScreen();
        this.#buildSide();
        this.#dialog.append(
            el("header", {}, p.title, p.state, p.save,
               button("close", "quiet", "Close",
                      () => this.#dialog.close())),
            p.error,
            el("div", {class: "player"},
               el("div", {class: "player-main"}, p.load, p.key, p.screen),
               p.side));
    }

    #buildKey() {
        const p = this.#parts;

        p.choice = el("input", {type: "file", id: "player-key",
                                onchange: () => this.#chosen()});
        p.pass = el("input", {type: "password", id: "player-pass",
                              autocomplete: "off", maxlength: "1024"});
        p.passRow = el("div", {class: "pair", hidden: true},
                       el("label", {for: "player-pass"}, "Passphrase"),
                       p.pass);
        p.go = el("button", {type: "submit", class: "primary",
                             id: "player-go", disabled: true}, "Open");
        p.key = el("form", {class: "player-key", autocomplete: "off",
                            hidden: true, onsubmit: (ev) => {
                                ev.preventDefault();
                                this.#unlock();
                            }},
            el("h3", {}, "An auditor's key opens it"),
            el("p", {class: "note"}, "The key is used in this page only, "
               + "and forgotten when the recording is closed. It is sent "
               + "nowhere."),
            el("label", {for: "player-key"}, "Key file"), p.choice,
            p.passRow, p.go);
    }

    #buildScreen() {
        const p = this.#parts;

        p.video = el("video", {id: "player-video", playsinline: true,
                               tabindex: "0", "aria-label": "Recording"});
        p.play = el("button", {type: "button", class: "primary square",
                               id: "player-play", title: "Play",
                               "aria-label": "Play",
                               onclick: () => this.#toggle()}, icon(PLAY));
        p.seek = el("input", {type: "range", id: "player-seek", min: "0",
                              step: "0.1", value: "0", "aria-label": "Place",
                              oninput: () => this.#to(Number(p.seek.value))});
        p.marks = el("div", {class: "player-marks", "aria-hidden": "true"});
        p.time = el("output", {id: "player-time", for: "player-seek"});
        p.speed = el("select", {id: "player-speed", "aria-label": "Speed",
                                onchange: () => {
            p.video.playbackRate = Number(p.speed.value);
        }}, ...SPEEDS.map((n) => el("option", {value: String(n),
                                               selected: n === 1},
                                    `${n} ×`)));
        p.screen = el("div", {class: "player-screen", hidden: true},
            p.video,
            el("div", {class: "player-bar"}, p.play,
               el("div", {class: "player-track"}, p.marks, p.seek), p.time,
               p.speed));
    }

    #buildSide() {
        const p = this.#parts;

        p.verdict = el("p", {class: "player-verdict", role: "status",
                             hidden: true});
        p.findings = el("ul", {class: "player-findings"});
        p.facts = el("dl", {class: "facts"});
        p.events = el("ol", {class: "player-events", id: "player-events"});
        p.sealed = el("p", {class: "note"}, "Seen once it is opened.");
        p.side = el("aside", {class: "player-side", tabindex: "0",
                              "aria-label": "About the recording"},
            el("h3", {}, "What is known of it"), p.verdict, p.findings,
            p.facts, el("h3", {}, "What happened"), p.sealed, p.events);
    }

    #show(part) {
        for (const name of ["load", "key", "screen"]) {
            this.#parts[name].hidden = name !== part;
        }

        this.#parts.sealed.hidden = part === "screen";
    }

    #said(text) {
        setText(this.#parts.state, text);
    }

    #error(error) {
        fillError(this.#parts.error, error);
    }

    /* where it comes from */

    async #fetch(recording) {
        const turn = this.#turn;

        this.#abort = new AbortController();
        this.#said("Being fetched…");

        try {
            const blob = await fetchRecording({
                api: this.#app.account.api, base: this.#app.base,
                id: recording.id, signal: this.#abort.signal,
                progress: (n) => {
                    this.#progress(n, Math.max(recording.bytes, n));
                    this.#said(`${byteWords(n)} of about ${
                                  byteWords(recording.bytes)}`);
                }});

            if (turn === this.#turn) {
                this.#take(blob);
            }

        } catch (e) {
            if (turn === this.#turn) {
                this.#said("");
                this.#error(e);
            }
        }
    }

    #progress(n, most) {
        this.#parts.bar.max = Math.max(most, 1);
        this.#parts.bar.value = n;
    }

    async #take(blob) {
        const turn = this.#turn;

        this.#blob = blob;
        this.#said("Being compared with what was signed…");

        try {
            const recording = await Recording.open(blob, {
                progress: (part) => turn === this.#turn
                                    && this.#progress(part, 1)});

            const known = await this.#ask(recording);

            if (turn === this.#turn) {
                this.#recording = recording;
                this.#parts.save.hidden = false;
                this.#tell(known);
                this.#show("key");
                this.#parts.choice.focus();
            }

        } catch (e) {
            if (turn === this.#turn) {
                this.#said("");
                this.#error(e);
            }
        }
    }

    #save() {
        const url = URL.createObjectURL(this.#blob);
        const name = this.#recording.begin?.recording_id ?? "recording";

        el("a", {href: url, download: `${name}.tar`}).click();
        setTimeout(() => URL.revokeObjectURL(url), 60000);
    }

    /* what is known without a key */

    #tell(known) {
        const p = this.#parts;
        const it = this.#recording;
        const {verdict} = it;

        this.#said(lengthWords(it.duration_ms));
        p.verdict.hidden = false;
        p.verdict.dataset.verdict = verdict;
        setText(p.verdict, verdictWords(it));
        p.findings.replaceChildren(
            ...(verdict === "unverified" ? it.missing : it.findings)
               .slice(0, 100).map(({where, text}) => el(
                   "li", {}, el("b", {}, where), ` ${text}.`)));
        this.#facts(known);
    }

    /*
     * What the gateway knows of it and of who signed, asked now: a list may
     * be of before it had ended.  Never throws: what is not said is not known.
     */
    async #ask(it) {
        const {api} = this.#app.account;
        const listed = this.#listed;

        if (it.begin === null || api === null) {
            return {signer: NOT_ASKED, entry: NOT_ASKED};
        }

        const id = listed?.id ?? it.begin.recording_id;
        const [row, device] = await Promise.allSettled([
            api.request("GET", `/recordings/${encodeURIComponent(id)}`),
            api.device(it.begin.device_id)]);
        const rows = [listed, row.value?.data ?? null].filter(
            (known) => known !== null);

        return {
            signer: device.status === "fulfilled"
                    ? it.signedBy(device.value.data)
                    : whyNot(device.reason, "of a recorder"),
            entry: rows.length > 0 ? it.compare(...rows)
                   : whyNot(row.reason, "one"),
        };
    }

    #facts({signer, entry}) {
        const it = this.#recording;
        const {begin} = it;
        const auditors = Array.isArray(it.manifest.auditors)
                         ? it.manifest.auditors : [];

        fillFacts(this.#parts.facts, [
            ["Began", begin === null ? "" : timeWords(
                Math.floor(begin.started_at / 1000))],
            ["Length", lengthWords(it.duration_ms)],
            ["Gaps", it.gaps.length > 0 ? String(it.gaps.length) : ""],
            ["Ended", it.end === null ? "not said" : it.end.reason],
            ["Signed by", begin === null ? "" : shorten(begin.public_key)],
            ["That key", signer],
            ["In the catalogue", entry],
            ["Sealed for", auditors.map(auditorName).join(", ")],
            ["Session", begin?.session_id ?? ""],
            ["Id", begin?.recording_id ?? ""],
        ].filter(([, value]) => value));
    }

    /* the key */

    async #chosen() {
        const p = this.#parts;
        const [file] = p.choice.files;

        this.#error(null);
        p.go.disabled = file === undefined;
        p.passRow.hidden = true;

        if (file === undefined) {
            return;
        }

        try {
            p.passRow.hidden = !wantsPassphrase(
                await file.slice(0, 65537).text());

            if (!p.passRow.hidden) {
                p.pass.focus();
            }

        } catch (e) {
            p.go.disabled = true;
            this.#error(e);
        }
    }

    async #unlock() {
        const p = this.#parts;
        const turn = this.#turn;
        const [file] = p.choice.files;

        p.go.setAttribute("aria-busy", "true");
        this.#error(null);

        try {
            const auditor = await AuditorKey.load(
                await file.slice(0, 65537).text(), p.pass.value);

            if (turn === this.#turn) {
                this.#auditor = auditor;
                p.pass.value = "";
                await this.#play();
            }

        } catch (e) {
            if (turn === this.#turn) {
                this.#auditor = null;
                this.#error(e);
            }

        } finally {
            p.go.removeAttribute("aria-busy");
        }
    }

    #unseal = async (bytes) => openSealed(bytes, this.#auditor);

    /* picture */

    async #play() {
        const p = this.#parts;
        const it = this.#recording;
        const turn = this.#turn;

        if (it.media.length > 0) {
            /* whether the key is one of its auditors' */
            await this.#unseal(await it.bytes(it.media[0].file));
        }

        const events = await this.#events(it);

        if (turn !== this.#turn) {
            return;
        }

        p.seek.max = String(it.duration_ms / 1000);
        this.#fillEvents(events);
        this.#show("screen");

        if (it.media.length === 0) {
            this.#said("There is no picture in it");
            return;
        }

        this.#player = new RsPlayer({
            video: p.video, media: it.media, duration_ms: it.duration_ms,
            unseal: async (file) => this.#unseal(await it.bytes(file))});
        this.#player.addEventListener("problem",
                                      (ev) => this.#error(ev.detail));
        p.video.playbackRate = Number(p.speed.value);
        await this.#player.open();
        this.#place();
        p.play.focus();
    }

    /* one that was changed takes no other with it */
    async #events(it) {
        try {
            return await it.events(this.#unseal);

        } catch (e) {
            this.#error(e instanceof RsError ? e : new RsError(
                "sealed_form", {detail: String(e)}));

            return [];
        }
    }

    #fillEvents(events) {
        const p = this.#parts;
        const all = [
            ...events.map((e) => ({t_ms: e.t_ms, text: trackWords(e),
                                   kind: String(e.type)}))
                     .filter(worthSaying()),
            ...this.#recording.gaps.map((g) => ({
                t_ms: g.t_ms, text: gapWords(g), kind: "gap"})),
        ].sort((a, b) => a.t_ms - b.t_ms).slice(0, FIT_EVENTS);

        p.events.replaceChildren(...all.map(({t_ms, text, kind}) => el(
            "li", {dataset: {kind, at: t_ms}},
            el("button", {type: "button", class: "quiet",
                          onclick: () => this.#to(t_ms / 1000)},
               el("time", {}, lengthWords(t_ms)), el("span", {}, text)))));
        p.marks.replaceChildren(...all.map(({t_ms, kind}) => this.#mark(
            t_ms, 0, kind)), ...this.#recording.gaps.map(
            (g) => this.#mark(g.t_ms, g.dur_ms, "hole")));
    }

    #mark(t_ms, dur_ms, kind) {
        const most = Math.max(1, this.#recording.duration_ms);
        const mark = el("i", {dataset: {kind}});

        mark.style.left = `${100 * t_ms / most}%`;

        if (dur_ms > 0) {
            mark.style.width = `${100 * dur_ms / most}%`;
        }

        return mark;
    }

    #wireVideo() {
        const {video, play, seek} = this.#parts;
        const on = (type, f) => video.addEventListener(type, f);
        const playing = () => {
            const verb = video.paused ? "Play" : "Pause";

            play.title = verb;
            play.setAttribute("aria-label", verb);
            play.replaceChildren(icon(video.paused ? PLAY : PAUSE));
        };

        for (const type of ["play", "pause", "ended"]) {
            on(type, playing);
        }

        for (const type of ["timeupdate", "seeking"]) {
            on(type, () => this.#place());
        }

        on("click", () => this.#toggle());
        this.#dialog.addEventListener("keydown", (ev) => {
            if (ev.target === seek || ev.target.closest("button, select, "
                                                        + "input"))
            {
                return;
            }

            const step = {ArrowLeft: -STEP_S, ArrowRight: STEP_S}[ev.key];

            if (step !== undefined) {
                ev.preventDefault();
                this.#to(video.currentTime + step);

            } else if (ev.key === " ") {
                ev.preventDefault();
                this.#toggle();
            }
        });
    }

    #toggle() {
        const {video} = this.#parts;

        if (this.#player === null) {
            return;
        }

        if (video.paused) {
            video.play().catch(() => {
                /* closed, or sought, before it began */
            });

        } else {
            video.pause();
        }
    }

    #to(s) {
        if (this.#player !== null) {
            this.#parts.video.currentTime = Math.max(0, Math.min(
                s, this.#recording.duration_ms / 1000));
        }
    }

    #place() {
        const p = this.#parts;

        if (this.#recording === null) {
            return;
        }

        const ms = p.video.currentTime * 1000;
        const text = `${lengthWords(ms)} / ${lengthWords(
                                                this.#recording.duration_ms)}`;

        p.seek.value = String(p.video.currentTime);
        p.seek.setAttribute("aria-valuetext", text);
        setText(p.time, text);
        this.#current(ms);
    }

    #current(ms) {
        for (const row of this.#parts.events.children) {
            row.classList.toggle("past", Number(row.dataset.at) <= ms);
        }
    }
}


/* what says something, and another thing than the last one of its kind */
function worthSaying() {
    const last = new Map();

    return ({kind, text}) => {
        const same = (kind === "state" || kind === "path")
                     && last.get(kind) === text;

        last.set(kind, text);

        return text !== "" && !same;
    };
}


function auditorName(auditor) {
    return String(auditor?.subject ?? "").replace(/^.*\bCN\s*=\s*/, "");
}
