
/*
 * Copyright (C) rs-gateway contributors
 *
 * The page of somebody who gets help without installing anything: a code of
 * eight digits or a link that has it, a question that names who asks, then a
 * screen or window of her choice, until she stops.  It owns the one session
 * and the one stream; what goes between browsers is RsHost's.
 */

import { el, fillError, setText } from "./rs-dom.js";
import { RsHost, chooseScreen } from "./rs-host.js";
import { RsApi, RsError, RsSession, recordingOf, resolveBase, socketUrl }
    from "./rs-client.js";
import { endWords, recordedWords } from "./rs-words.js";


const CODE = /^#code=([0-9]{8})$/;
const STEPS = ["code", "consent", "share", "over"];

const meta = document.querySelector('meta[name="rs-base"]');
const base = resolveBase(meta?.content || "../rs/v1", location.href);
const get = (id) => document.getElementById(id);

let asked = null;           /* what POST /help gave */
let session = null;
let host = null;
let stream = null;


function step(name) {
    document.body.dataset.step = name;

    for (const one of STEPS) {
        get(`${one}-step`).hidden = one !== name;
    }

    const heading = get(`${name}-step`).querySelector("h1");

    /* the first page has a field to begin with */
    (name === "code" ? get("code") : heading).focus();
}


/* the code */

function digits(text) {
    return text.replace(/[\s-]/g, "");
}


function askCode(error) {
    asked = null;
    fillError(get("code-error"), error);
    document.title = "Get help";
    step("code");

    if (error !== null) {
        get("code").setAttribute("aria-invalid", "true");
        get("code").select();
    }
}


async function enter(ev) {
    const code = digits(get("code").value);
    const name = get("name").value.trim();

    ev?.preventDefault();

    if (!/^[0-9]{8}$/.test(code)) {
        askCode(new RsError("code_form"));
        return;
    }

    get("code-go").disabled = true;

    try {
        asked = await new RsApi({base}).help({
            code, ...(name === "" ? {} : {name})});
        get("code").value = "";
        get("code").removeAttribute("aria-invalid");
        askConsent(null);

    } catch (e) {
        askCode(e);

    } finally {
        get("code-go").disabled = false;
    }
}


/* the question */

function askConsent(error) {
    const who = asked.session.requester?.name || "Somebody who has the code";
    const reason = asked.session.reason;

    setText(get("consent-title"), `${who} asks to see your screen`);
    setText(get("consent-reason"), reason ? `“${reason}”` : "");
    get("consent-reason").hidden = !reason;
    showAsked(asked.session.policy?.recording);
    fillError(get("consent-error"), error);
    step("consent");
}


/* before anything is shared */
function showAsked(recording) {
    const words = {required: "It is recorded: what you share is kept.",
                   optional: "It may be recorded; you see whether it is."};

    get("consent-recorded").hidden = !Object.hasOwn(words, recording ?? "");
    setText(get("consent-recorded"), words[recording] ?? "");
}


async function share() {
    const mine = asked;
    let chosen;

    get("share").disabled = true;

    try {
        chosen = await chooseScreen();

    } catch (e) {
        if (asked === mine) {
            fillError(get("consent-error"), e);
        }

        return;

    } finally {
        get("share").disabled = false;
    }

    if (asked !== mine) {
        stopTracks(chosen);     /* she said no meanwhile */
        return;
    }

    stream = chosen;
    begin();
}


/* a no is told, so that nobody waits */
function decline() {
    const place = new RsSession({url: socketUrl(base, "/signal"),
                                 ticket: asked.ticket});

    place.addEventListener("welcome", () => place.bye("declined"));
    place.connect();
    over("Nothing was shared", "Whoever asked is told so.");
}


/* sharing */

function begin() {
    const mine = new RsSession({url: socketUrl(base, "/signal"),
                                ticket: asked.ticket});

    session = mine;
    host = new RsHost({session, stream});

    mine.addEventListener("ended", ({detail: {reason}}) => {
        const {title, help} = endWords(reason);

        if (session === mine) {
            over(title, help);
        }
    });
    mine.addEventListener("closed", () => {
        if (session === mine) {
            over("The session is over", "Ask for another code to go on.");
        }
    });
    mine.addEventListener("session", (ev) => showRecorded(ev.detail));
    host.addEventListener("watchers", (ev) => showWatchers(ev.detail));
    host.addEventListener("pointer", (ev) => point(ev.detail));

    session.connect();
    show();
    pause(false);
    showWatchers(host.watchers);
    fillError(get("share-error"), null);
    step("share");
}


function showRecorded(now) {
    const {chip, help} = recordedWords(recordingOf(now));

    get("recorded").hidden = chip === "";
    get("recorded").title = help;
    setText(get("recorded"), chip);
}


/* the browser's own button stops it, too */
function show() {
    get("preview").srcObject = stream;

    for (const track of stream.getVideoTracks()) {
        track.onended = () => stop();
    }
}


function pause(paused) {
    host.pause(paused);
    get("share-step").dataset.paused = String(paused);
    get("pause").setAttribute("aria-pressed", String(paused));
    setText(get("pause"), paused ? "Go on" : "Pause");
    get("veil").hidden = !paused;
    showTitle();
}


function showTitle() {
    const n = host.watchers.filter((one) => one.watching
                                            && one.role !== "recorder").length;
    const title = host.paused ? "Sharing is paused"
                  : n > 0 ? "Your screen is being shared"
                          : "Waiting for whoever helps you";

    setText(get("share-title"), title);
    document.title = (n > 0 && !host.paused ? "● " : "") + title;
}


async function other() {
    let next;

    try {
        next = await chooseScreen();

    } catch (e) {
        fillError(get("share-error"), e.code === "screen_denied" ? null : e);
        return;
    }

    if (host === null) {
        stopTracks(next);       /* it ended meanwhile */
        return;
    }

    const before = stream;

    stream = next;
    show();
    await host.setStream(stream);
    stopTracks(before);
}


function watcherWords({name, role, watching}) {
    if (role === "recorder") {
        return `${name || "A recorder"} ${watching ? "records it"
                                                   : "is joining"}`;
    }

    return `${name || asked?.session.requester.name || "Unnamed"} ${
              watching ? "sees it" : "is joining"}`;
}


function showWatchers(watchers) {
    get("watchers").replaceChildren(...(watchers.length === 0
        ? [el("li", {}, "Nobody yet")]
        : watchers.map((one) => el(
            "li", {dataset: {watching: String(one.watching)}},
            watcherWords(one)))));
    showTitle();
}


/* where a pointer is: of the picture, which need not fill its box */
function point({id, name, x, y, down}) {
    const dots = get("dots");
    let dot = [...dots.children].find((one) => one.dataset.id === id);

    if (x === null) {
        dot?.remove();
        return;
    }

    if (dot === undefined) {
        dot = el("div", {class: "pointer", dataset: {id}}, el("span"));
        dots.append(dot);
    }

    const video = get("preview");
    const box = video.getBoundingClientRect();
    const scale = Math.min(box.width / (video.videoWidth || 1),
                           box.height / (video.videoHeight || 1));
    const width = video.videoWidth * scale;
    const height = video.videoHeight * scale;

    setText(dot.querySelector("span"), name);
    dot.dataset.x = String(x);
    dot.dataset.y = String(y);
    dot.dataset.down = String(down);
    dot.style.left = `${(box.width - width) / 2 + x * width}px`;
    dot.style.top = `${(box.height - height) / 2 + y * height}px`;
}


function stopTracks(which) {
    for (const track of which?.getTracks() ?? []) {
        track.onended = null;
        track.stop();
    }
}


/* the end */

function end() {
    const ending = session;

    asked = null;
    session = null;
    host?.close();
    host = null;
    ending?.bye("done");
    stopTracks(stream);
    stream = null;
    get("preview").srcObject = null;
    get("dots").replaceChildren();
}


function stop() {
    if (session !== null) {
        over("You have stopped sharing", "Nobody sees your screen any more.");
    }
}


function over(title, help) {
    end();
    setText(get("over-title"), title);
    setText(get("over-help"), help);
    document.title = title;
    step("over");
}


get("code-step").addEventListener("submit", enter);
get("share").addEventListener("click", share);
get("decline").addEventListener("click", decline);
get("pause").addEventListener("click", () => pause(!host.paused));
get("other").addEventListener("click", other);
get("stop").addEventListener("click", stop);
get("again").addEventListener("click", () => askCode(null));
addEventListener("pagehide", end);

/* by a link: the code is taken out of the address at once */
const found = CODE.exec(location.hash);

if (location.hash !== "") {
    history.replaceState(null, "", location.pathname + location.search);
}

step("code");

if (found !== null) {
    get("code").value = found[1];
    enter();
}
