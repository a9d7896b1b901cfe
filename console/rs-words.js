
/*
 * Copyright (C) rs-gateway contributors
 *
 * What the console says, in words for people: errors, states, the path,
 * times.  Pure: values in, text out.  The tables have no prototype: a device
 * may call its failure "constructor".
 */


const ERRORS = {
    __proto__: null,
    bad_request: ["The gateway did not understand the request",
                  "Reload the page; if it stays, console and gateway may be of different versions."],
    invalid_json: ["The gateway did not understand the request",
                   "Reload the page; console and gateway may be of different versions."],
    invalid_value: ["A value was not accepted", "Correct it and try again."],
    unknown_field: ["The gateway does not know a field of the request",
                    "Console and gateway are of different versions: update the older one."],
    unsupported_media_type: ["The gateway did not understand the request",
                             "Something between this page and the gateway changes requests."],
    body_too_large: ["That is more text than the gateway takes", "Shorten it and try again."],
    code_form: ["A code has eight digits", "Ask whoever helps you to read it again."],
    no_screen: ["This browser cannot share a screen",
                "Phones and tablets cannot. On a computer, use a current Firefox, Chrome, Edge or Safari."],
    screen_denied: ["Nothing was shared",
                    "You said no, or closed the question of your browser. Try again if you like."],
    unauthenticated: ["This key or link is not valid",
                      "It may be mistyped, used up, expired or revoked."],
    link_invalid: ["This link or PIN is not valid",
                   "It may be mistyped, used up, expired, or locked after wrong PINs. Ask for a new link."],
    pin_required: ["A PIN is needed", "Whoever sent the link can tell it."],
    forbidden: ["This key may not do that",
                "Ask an administrator for a key with the right scopes."],
    origin_forbidden: ["The gateway does not take requests from this address",
                       "Open the console under its usual address, or have this one added to rs_origin."],
    enrollment_invalid: ["The enrolment token is not valid", "Make a new one."],
    not_found: ["That no longer exists", "It may have been removed meanwhile."],
    method_not_allowed: ["The gateway does not offer this",
                         "Console and gateway are of different versions."],
    device_offline: ["The device is offline",
                     "It has no connection to the gateway now. Check that it is switched on and rs-agent runs."],
    conflict: ["That is not possible right now", "Something changed meanwhile. Try again."],
    participants_full: ["The session is full", "As many people take part as are allowed."],
    control_locked: ["Control is locked", "Ask who runs the session, or the person at the device, to give it."],
    session_ended: ["The session has ended", "Start a new one to go on."],
    precondition_failed: ["Somebody changed this meanwhile", "Load it again and repeat the change."],
    precondition_required: ["The change was not accepted", "Load it again and repeat the change."],
    idempotency_mismatch: ["The request was refused as a repetition", "Try again."],
    rate_limited: ["Too many requests", "Wait a moment and try again."],
    limit_reached: ["A limit is reached", "End what is no longer needed, or wait, and try again."],
    bad_handshake: ["The connection to the gateway was refused",
                    "A proxy on the way may not pass WebSockets on."],
    upgrade_required: ["The connection to the gateway was refused",
                       "A proxy on the way may not pass WebSockets on."],
    unavailable: ["The gateway is not available right now",
                  "Sessions that are running go on. Try again in a moment."],
    uncertain: ["It was done, but may be forgotten",
                "The gateway's store was not quick enough to keep a second copy. Try again in a moment."],
    internal: ["The gateway failed", "Try again; tell its operator if it stays."],
    ws_protocol: ["The connection broke a rule of the protocol",
                  "Reload the page; something on the way may change messages."],
    ws_unsupported: ["The connection broke a rule of the protocol", "Reload the page."],
    ws_utf8: ["The connection broke a rule of the protocol", "Reload the page."],
    ws_too_big: ["A message was larger than the gateway takes", "Reload the page."],
    ws_fragments: ["The connection broke a rule of the protocol", "Reload the page."],
    before_welcome: ["The connection broke a rule of the protocol", "Reload the page."],
    unknown_type: ["The gateway does not know a message of this console",
                   "Console and gateway are of different versions."],
    unknown_peer: ["The other side has left", "It is no longer in the session."],
    hello_timeout: ["The connection was too slow", "Try again."],
    peer_timeout: ["The device does not answer",
                   "No connection could be made in time. A firewall may be in the way, or the device is busy."],
    replaced: ["Opened in another place", "A newer connection took this one's place."],
    device_removed: ["The device was removed", "It is no longer enrolled at this gateway."],
    device_quarantined: ["The device is locked for a while", "Its key is in use on two machines."],
    resume_too_old: ["Away for too long", "The session could not be taken up again. Connect anew."],
    overloaded: ["The gateway is too busy", "Wait a moment and try again."],
    going_away: ["The gateway is being restarted", "Try again in a moment."],
    draining: ["This gateway takes a break", "Try again in a moment: another one takes over."],
    wrong_node: ["Another gateway answered", "Call the node itself, without a balancer in between."],
    pipe_broken: ["The connection was cut off", "Its other end is gone. Connect anew."],
    pipe_timeout: ["The other side did not answer", "Try again in a moment."],
    pipe_idle: ["The connection was unused for too long", "Connect anew."],
    pipe_unreachable: ["The gateway could not join both sides", "Try again in a moment."],
    target_refused: ["The target refuses connections", "Nothing listens there, or its firewall says no."],
    target_unreachable: ["The target cannot be reached", "The device finds no way to it."],
    tunnel_ended: ["The tunnel has ended", "Ask for another one."],

    /* the console's own */
    network: ["The gateway cannot be reached", "Check the network connection of this computer."],
    timeout: ["The gateway did not answer in time", "Try again in a moment."],
    bad_answer: ["Something else than the gateway answered",
                 "A proxy may be in the way, or the address of the API is wrong."],
    lost: ["The connection to the gateway is lost",
           "It could not be restored. Check the network and connect anew."],
    closed: ["The connection is closed", "Connect anew."],
    outbox_full: ["The connection to the gateway is too slow", "Connect anew."],
    aborted: ["Cancelled", ""],
    peer_failed: ["No connection to the device",
                  "Neither a direct nor a relayed path works. A firewall may be in the way."],
    no_codec: ["The device has no picture this browser can show",
               "It needs an encoder for VP8 or H.264."],
    no_display: ["The device has no screen to show",
                 "Nobody is logged in there, or its kind of screen cannot be shared yet."],
    no_relay: ["The device reaches no relay",
               "Only relayed paths are allowed here, and no TURN server answered the device."],
    ice_failed: ["No path to the device",
                 "Neither a direct nor a relayed path works. A firewall may be in the way."],
    capture: ["The device's screen cannot be captured", "Its own log says why."],
    bad_offer: ["The device does not understand this browser",
                "Update rs-agent there, or the browser here."],
    bad_input: ["The device refused the input", "Connect anew."],
    device_unverified: ["The device could not be verified",
                        "Somebody may be in the middle: nothing was sent to it. Tell your administrator if it stays."],
    device_changed: ["The device's key has changed",
                     "It was set up anew, or somebody takes its place. Compare with rs-agent --fingerprint there."],
    operator_unverified: ["The device does not accept who you are",
                          "It checks that by itself, without the gateway; the reason is its own."],
    token_expired: ["Your sign-in has expired", "Sign in again, then try again."],
    consent_denied: ["The request was declined", "The person at the device said no."],
    consent_timeout: ["Nobody answered", "The person at the device did not answer in time."],
    consent_unavailable: ["Nobody could be asked",
                          "The device must ask the person at it, and has no desktop to ask on."],
    signin_failed: ["Signing in did not work", "Try again; the reason is below."],
    popup_blocked: ["The window could not be opened", "Allow this page to open windows, then try again."],
    signout_failed: ["You are signed out here only",
                     "The gateway did not take it: what runs may go on until it ends by itself."],
    no_store: ["This browser keeps nothing for this page",
               "Its key must be kept in IndexedDB: allow site data for this address."],
    busy: ["The device is busy", "As many people see its screen as it allows."],
    no_channel: ["Mouse and keys do not reach the device",
                 "They would go by the gateway, which could read them. Tell your administrator if it stays."],
    no_renderer: ["No browser service is online",
                  "It takes a renderer, and none of yours is connected. Tell your administrator if it stays."],
    renderers_full: ["All browsers are in use",
                     "Every place in the line is taken, too. Wait a moment and try again."],
    recorder_offline: ["Nothing records right now",
                       "This session must be recorded, and no recorder is there. Tell your administrator if it stays."],
    recorders_full: ["No recorder has room right now",
                     "This session must be recorded. Wait a moment and try again."],
    not_recorded: ["The session is not recorded yet", "It goes on as soon as it is."],
    no_clipboard: ["There is no clipboard now",
                   "The device has none to share, or the connection is being made."],
    clipboard_direction: ["Texts may not go to the device", "The session's policy or the device's owner says so."],
    clipboard_too_long: ["The text is too long", "The clipboard takes 1 MiB. Send it as a file instead."],
    clipboard_empty: ["There is no text", "Only text goes to the device's clipboard."],
    clipboard_unavailable: ["The device's clipboard does not take it", "Try again."],
    superseded: ["Another text was sent meanwhile", ""],
    no_chat: ["The message was not sent", "The connection is being made anew. Send it again."],
    chat_empty: ["There is nothing in the message", ""],
    chat_too_many: ["Too many messages at once", "Wait a moment and send it again."],
    key_form: ["That is no key that can be used here",
               "An auditor's private key in PEM is wanted, as \"rs-record keygen\" makes it."],
    passphrase: ["The passphrase is wrong", "Type it again."],
    not_for_key: ["This recording is sealed for other keys",
                  "Its list of auditors is below: use the key of one of them."],
    sealed_form: ["That part of the recording cannot be read", "It is damaged, or of a newer recorder."],
    sealed_broken: ["That part of the recording was changed", "It is not what was sealed, and is not shown."],
    archive_form: ["That is no recording", "A recording is a .tar file with chain.jsonl in it."],
    no_media: ["This browser cannot play the recording", "It needs MediaSource with WebM, VP8 and Opus."],
    type_too_long: ["The text is too long to be typed",
                    "10,000 characters are typed at once. Use the clipboard or a file."],
    no_webrtc: ["This browser cannot show remote screens", "It has no WebRTC, or WebRTC is switched off."],
};

const END_REASONS = {
    __proto__: null,
    deleted: ["The session was ended", "It was ended from the gateway's side."],
    left: ["The session has ended", "The other side left."],
    expired: ["The session has expired", "It had reached its longest time."],
    consent_denied: ["The request was declined", "The person at the device said no."],
    consent_timeout: ["Nobody answered", "The person at the device did not answer in time."],
    host_lost: ["The device is gone", "It lost its connection and did not come back."],
    device_removed: ["The device was removed", "It is no longer enrolled at this gateway."],
    policy: ["The device does not allow this", "Its own policy refused the session, or it has no screen to show."],
    crashed: ["The browser failed", "It broke down several times in a row. Start another session."],
    idle: ["The session has ended", "Nobody was left in it."],
    busy: ["No browser was free", "Try again in a moment."],
    recorder_lost: ["The recording stopped", "The session may not go on without it."],
};

const SESSION_STATES = {
    __proto__: null,
    waiting_host: "Waiting for the device",
    waiting_consent: "Waiting for consent",
    waiting_recorder: "Waiting for the recorder",
    connecting: "Connecting",
    active: "Connected",
    ended: "Ended",
};

const CANDIDATES = {
    __proto__: null,
    host: "own address",
    srflx: "address seen by STUN",
    prflx: "address seen by the other side",
    relay: "relay",
};

const PROTOCOLS = {__proto__: null, udp: "UDP", tcp: "TCP", tls: "TLS"};


/**
 * @param {{code: string, detail?: string, title?: string,
 *          request_id?: string, retry_after_s?: number}} error
 * @returns {{title: string, help: string, detail: string}}
 */
export function errorWords(error) {
    const [title, help] = ERRORS[error.code]
                          ?? [error.title || "Something went wrong",
                              "Try again."];
    const wait = error.retry_after_s > 0
                 ? ` The gateway asks to wait ${error.retry_after_s} s.` : "";
    const parts = [error.code, error.detail];

    if (error.request_id) {
        parts.push("request " + error.request_id);
    }

    return {title, help: help + wait,
            detail: parts.filter((p) => p).join(" \u00b7 ")};
}


/** The codes there are words for. */
export function knownCodes() {
    return Object.keys(ERRORS);
}


export function endWords(reason) {
    const [title, help] = END_REASONS[reason]
                          ?? ["The session has ended", ""];

    return {title, help};
}


/* what rs-diagnose.js finds: {here, device} or one text; then the cure */
const FINDINGS = {
    udp_blocked: {
        title: ({side, open}) => `UDP is blocked ${at(side)}, ${open} is open`,
        cure: ({usable}) => usable
            ? "Relays over TCP or TLS serve there; with UDP it would be quicker."
            : "Let UDP to the TURN server out of that network, or give the gateway a TURN server over TLS on port 443.",
    },
    turn_refused: {
        title: ({side, number}) => `TURN refused the credential ${at(side)}`
                                   + (number ? ` (${number})` : ""),
        cure: "TURN servers and gateway need the same secret or key, realm and time.",
    },
    turn_silent: {
        title: ({side}) => `No TURN server can be reached ${at(side)}`,
        cure: "A firewall lets neither UDP nor TCP to them through, or the servers are down.",
    },
    turn_name: {
        title: ({side}) => `Nobody knows the TURN server's name ${at(side)}`,
        cure: "Look at that network's DNS, and at the name the gateway gives out.",
    },
    turn_tls: {
        title: ({side}) => `TLS to the TURN server fails ${at(side)}`,
        cure: "Its certificate is for another name or of an unknown CA, or something on the way takes TLS apart.",
    },
    no_turn: {
        title: () => "The gateway has no TURN server",
        cure: "Only direct connections are possible then, and the two networks do not let one through.",
    },
    no_route: {
        title: () => "The two sides do not reach each other",
        cure: "Both reach a relay, but nothing leads from one to the other: look at the relays' firewall and policy.",
    },
    device_silent: {
        title: () => "The device does not say what it sees",
        cure: "Its agent is older, or has lost the gateway just now. “rs-agent --check” at the device says the same.",
    },
    device_offline: {
        title: ({since}) => since === null
            ? "The device has never been online"
            : `The device is offline since ${timeWords(since)}`,
        cure: "Check that it is switched on, and that rs-agent runs. “rs-agent --check” there says what is blocked.",
    },
};


/* what came of one line of check.html: how, cure */
const CHECKS = {
    ok: ["open", ""],
    off: ["reached", ""],
    silent: ["nothing comes back", ""],
    closed: ["does not get through", ""],
    limited: ["reached, too often", ""],
    name: ["its name is unknown", "Look at this network's DNS."],
    tls: ["TLS fails", "Its certificate is wrong, or something on the way takes TLS apart."],
    refused: ["refused the credential", "TURN servers and gateway need the same secret or key, realm and time."],
    strange: ["another service answers", "A firewall may answer in its place."],
};

const CHECK_CURES = {
    HTTPS: "Let TCP to the gateway's port out of this network, and look at the certificate the browser shows.",
    WSS: "A proxy or firewall on the way does not pass WebSockets on.",
    STUN: "UDP to that port does not get through, or the server is down.",
    "TURN/UDP": "Let UDP to that port out of this network; without it relays over TCP or TLS serve.",
    "TURN/TCP": "Let TCP to that port out of this network; without it relays over TLS on port 443 serve.",
    "TURN/TLS": "Let TCP to that port out of this network, and look whether a proxy takes TLS apart.",
};


/** How a line of check.html went: {how, cure, good}. */
export function checkWords(what, result, {seen, code} = {}) {
    const [how, cure] = CHECKS[result] ?? CHECKS.closed;
    const good = ["ok", "off", "limited"].includes(result);

    return {
        how: how + (code ? ` (${code})` : "")
             + (seen ? `, sees ${seen}` : ""),
        cure: good ? "" : cure || CHECK_CURES[what] || "",
        good,
    };
}


const NETWORKS = {
    open: ["Everything is open: sessions take the best way", "ok"],
    no_gateway: ["The gateway cannot be reached from here", "bad"],
    no_socket: ["WebSockets to the gateway do not get through: no session from here", "bad"],
    limited: ["Checked too often from this address: try again in a minute", "warn"],
    unchecked: ["The gateway can be reached; relays cannot be tried, it gives nothing out for that", "warn"],
    no_webrtc: ["This browser has no WebRTC, or it is switched off", "bad"],
    no_turn: ["The gateway has no TURN server: only direct connections are possible", "warn"],
    turn_refused: ["TURN refused the credential", "bad"],
    turn_silent: ["No TURN server can be reached from here", "bad"],
    turn_name: ["Nobody knows the TURN server's name here", "bad"],
    turn_tls: ["TLS to the TURN server fails from here", "bad"],
};


/** What a network comes to: {title, state: "ok"|"warn"|"bad"}. */
export function networkWords({code, open, usable}, socket = "ok") {
    if (socket !== "ok") {
        code = "no_socket";
    }

    if (code === "udp_blocked") {
        return {title: `UDP is blocked, ${open} is open: ` + (usable
                    ? "sessions work, and may stutter"
                    : "sessions need a TURN server over TLS"),
                state: usable ? "warn" : "bad"};
    }

    const [title, state] = NETWORKS[code] ?? NETWORKS.no_gateway;

    return {title, state};
}


function at(side) {
    return side === "here" ? "here" : "at the device";
}


/** An instant, seconds since the epoch, as people here write it. */
export function timeWords(at_s) {
    return new Date(at_s * 1000).toLocaleString(undefined, {
        dateStyle: "medium", timeStyle: "short"});
}


/** @param {{code: string, side: "here"|"device"|null}} found */
export function findingWords(found) {
    const {title, cure} = FINDINGS[found.code] ?? FINDINGS.no_route;

    return {title: title(found),
            cure: typeof cure === "string" ? cure : cure(found)};
}


export function stateWords(state) {
    return SESSION_STATES[state] ?? "Unknown";
}


export function candidateWords(type) {
    return CANDIDATES[type] ?? String(type);
}


export function protocolWords(protocol) {
    return PROTOCOLS[protocol] ?? String(protocol).toUpperCase();
}


const PATHS = {__proto__: null, relay: "Relayed", pipe: "By the gateway"};


/** @param {import("./rs-client.js").Path} path */
export function pathWords(path) {
    return [PATHS[path.kind] ?? "Direct",
            protocolWords(path.protocol),
            rttWords(path.rtt_ms)].join(" \u00b7 ");
}


const LEVELS = {
    both: "Both sides verified",
    device: "Device verified",
    first: "New device key",
    none: "Not verified",
    detour: "Input by the gateway",
};


/**
 * What is verified in a session, and by whom.
 *
 * @param {{kind: "oidc"|"key"|"guest", name: string,
 *          verdict: {how: string, short: string, at: number,
 *                    operator: {verified: boolean, name: string,
 *                               reason: string}|null}|null,
 *          path: import("./rs-client.js").Path|null,
 *          detour: boolean}} facts
 * @returns {{level: "both"|"device"|"first"|"none", chip: string,
 *            rows: [string, string][]}}  first: the device's key was never
 *            seen before, so what is told rests on the gateway's word;
 *            none also when the gateway can read what is typed
 */
export function trustWords({kind, name, verdict, path, detour}) {
    const device = verdict !== null && verdict.how !== "browser";
    const seen = device && verdict.how !== "first";
    const both = seen && !detour && verdict.operator?.verified === true;
    const rows = [["You", operatorWords(kind, name, verdict)],
                  ["The device", deviceWords(verdict)]];

    if (device) {
        rows.push(["Its key", verdict.short]);
    }

    rows.push(["The gateway", both
               ? "It brought both sides together. It cannot see the picture, and could not take either side's place."
               : device && !seen
                 ? "It says which device this is: until somebody compares the key, that is its word alone."
                 : "It brought both sides together, and is believed where nobody above has checked."]);

    if (path !== null) {
        rows.push(["The path", path.kind === "pipe"
                   ? "By the gateway, which sees encrypted records only."
                   : path.kind === "relay"
                   ? "By a relay, which sees encrypted packets only."
                   : "Direct, encrypted from end to end."]);
    }

    if (detour) {
        rows.push(["Mouse and keys", "They go by way of the gateway, which can read them."]);
    }

    const level = detour || !device ? "none"
                  : both ? "both" : seen ? "device" : "first";

    return {level, rows, chip: LEVELS[detour ? "detour" : level]};
}


function operatorWords(kind, name, verdict) {
    const told = verdict?.operator ?? null;

    if (kind === "guest") {
        return "A guest: nobody has checked who you are.";
    }

    if (kind === "key") {
        return "Signed in by an API key, which proves nothing to the device.";
    }

    if (verdict?.how === "browser") {
        return `Signed in as ${name}. A browser does not verify anybody.`;
    }

    if (told === null) {
        return `Signed in as ${name}, with a proof for the device, which does not look at proofs.`;
    }

    return told.verified
           ? `The device has checked by itself, at your issuer, that you are ${told.name || name}.`
           : `The device has not verified you${told.reason ? ": " + told.reason : "."}`;
}


function deviceWords(verdict) {
    if (verdict === null) {
        return "It has not answered yet.";
    }

    switch (verdict.how) {

    case "browser":
        return "A browser, opened by somebody who had your code. Nobody has checked who that is: ask them.";

    case "first":
        return "This browser saw it for the first time, and knows it by its key from now on. Compare the key once.";

    case "rotated":
        return "It has a new key, to which the one this browser knew leads. It signed this connection.";

    default:
        return `It signed this connection with the key this browser has known since ${dayWords(verdict.at)}.`;
    }
}


function dayWords(at) {
    return new Date(at * 1000).toISOString().slice(0, 10);
}


/** How long a sign-in is good. */
export function tokenWords(left_s) {
    if (left_s <= 0) {
        return "Your sign-in has expired. What runs goes on; anything new needs a new one.";
    }

    const min = Math.ceil(left_s / 60);

    return `Your sign-in ends in ${min} minute${min === 1 ? "" : "s"}.`;
}


export function rttWords(ms) {
    return (ms < 1 ? "< 1" : ms) + "\u00a0ms";
}


/** "3 min ago"; instants in seconds since the epoch. */
export function agoWords(at, now) {
    const s = Math.max(0, Math.floor(now - at));

    if (!Number.isFinite(s)) {
        return "never";
    }

    if (s < 60) {
        return "just now";
    }

    if (s < 3600) {
        return `${Math.floor(s / 60)} min ago`;
    }

    if (s < 86400) {
        return `${Math.floor(s / 3600)} h ago`;
    }

    const days = Math.floor(s / 86400);

    return days === 1 ? "yesterday" : `${days} days ago`;
}


/** When a device was last here. */
export function presenceWords(device, now) {
    if (device.online) {
        return "Online";
    }

    const at = device.last_seen_at ?? device.connected_at ?? null;

    return at === null ? "Never connected" : "Seen " + agoWords(at, now);
}


/** What runs on a device, as far as it has told. */
export function agentWords(device) {
    const agent = device.agent ?? {};
    const name = [agent.name, agent.version].filter(isText).join(" ");

    return [device.meta?.os ?? agent.os, name].filter(isText).join(" \u00b7 ");
}


function isText(value) {
    return typeof value === "string" && value !== "";
}


/** An instant for people: today its time, else its day, too. */
export function whenWords(at) {
    if (!Number.isFinite(at) || at <= 0) {
        return "never";
    }

    const then = new Date(at * 1000);
    const time = then.toLocaleTimeString("en-GB", {hour: "2-digit",
                                                   minute: "2-digit"});

    if (then.toDateString() === new Date().toDateString()) {
        return `today, ${time}`;
    }

    return `${then.toLocaleDateString("en-GB", {
        day: "numeric", month: "short", year: "numeric"})}, ${time}`;
}


/** "1 h 5 min" */
export function durationWords(s) {
    const seconds = Math.max(0, Math.floor(s));

    if (!Number.isFinite(seconds)) {
        return "";
    }

    if (seconds < 60) {
        return `${seconds} s`;
    }

    const min = Math.floor(seconds / 60);

    return min < 60 ? `${min} min` : `${Math.floor(min / 60)} h ${min % 60
                                                                 } min`;
}


/** Who took part in a session, besides the device. */
export function peopleWords(session) {
    return (session.participants ?? [])
        .filter((p) => p.role !== "host" && p.joined_at !== null)
        .map((p) => `${p.name || "Unnamed"} (${p.role})`)
        .filter((text, i, all) => all.indexOf(text) === i).join(", ");
}


/** A session in one line. */
export function sessionWords(session) {
    const ended = session.state === "ended";

    return [peopleWords(session),
            ended ? durationWords(session.ended_at - session.created_at)
                  : stateWords(session.state),
            ended ? endWords(session.end_reason).title : ""]
           .filter(isText).join(" \u00b7 ");
}


/** The place in line for a browser of the rendering service. */
export function queueWords(session) {
    const n = session.queue;

    return !Number.isInteger(n) || n < 1 ? ""
           : n === 1 ? "All are in use. You are the next in line."
           : `All are in use. You are number ${n} in line.`;
}


const RECORDINGS = {
    __proto__: null,
    recording: ["Recording", "bad", "It is being made now."],
    kept: ["Kept", "good", ""],
    incomplete: ["Incomplete", "warn",
                 "Something broke while it was made. What was kept by then can be opened."],
    gone: ["Gone", "plain", "It was deleted, or its time was over."],
};


/** @returns {{chip: string, kind: string, help: string}} */
export function recordingWords(state) {
    const [chip, kind, help] = RECORDINGS[state] ?? ["Unknown", "plain", ""];

    return {chip, kind, help};
}


/** What there is to know of a recording: names and words. */
export function recordingFacts(r) {
    return [
        ["Began", whenWords(r.started_at)],
        ["Ended", r.ended_at ? whenWords(r.ended_at) : "not yet"],
        ["Length", r.duration_ms > 0 ? lengthWords(r.duration_ms) : ""],
        ["Size", r.bytes > 0 ? byteWords(r.bytes) : ""],
        ["Gaps", r.gaps > 0 ? String(r.gaps) : ""],
        ["Kept until", r.expires_at ? whenWords(r.expires_at) : ""],
        ["Session", r.session_id],
        ["Recorder", r.recorder_id],
        ["SHA-256 of its chain", r.sha256],
        ["Id", r.id],
    ].filter(([, value]) => isText(value));
}


/** "1:02:03", of a place in a recording or its length. */
export function lengthWords(ms) {
    const s = Math.floor(Math.max(0, ms) / 1000);
    const two = (n) => String(n).padStart(2, "0");
    const min = Math.floor(s / 60);

    return min < 60 ? `${min}:${two(s % 60)}`
                    : `${Math.floor(min / 60)}:${two(min % 60)}:${
                         two(s % 60)}`;
}


const GAPS = {
    __proto__: null,
    lost: "the recorder was away", path: "it had no path to the device",
    silent: "nothing came over the path",
};


/** A gap of a recording. */
export function gapWords({dur_ms, why}) {
    return `Nothing was recorded for ${lengthWords(dur_ms)}`
           + (GAPS[why] ? `: ${GAPS[why]}` : "");
}


/** An event of a recording's track; "" of one that says nothing. */
export function trackWords(event) {
    const name = isText(event.name) ? event.name : "Somebody";
    const what = [event.role, event.guest === true ? "guest" : ""]
                 .filter(isText).join(", ");

    switch (event.type) {

    case "joined":
        return `${name} joined${what ? ` (${what})` : ""}`;

    case "left":
        return `${name} left`;

    case "control":
        return event.holder === null ? "Nobody has control"
                                     : `${name} has control`;

    case "path":
        return isText(event.path?.kind)
               ? `Path: ${(PATHS[event.path.kind] ?? "Direct").toLowerCase()}, ${
                    protocolWords(event.path.protocol)}`
               : "The path changed";

    case "state":
        return SESSION_STATES[event.state] ?? "";

    case "end":
        return endWords(event.reason).title;

    default:
        return "";
    }
}


function count(value) {
    return Number.isSafeInteger(value) && value >= 0 ? value : 0;
}


/**
 * What services of one kind have together.
 * @param {any[]} services  devices with "load", as the gateway shows them
 */
export function serviceLoad(services) {
    const sum = {online: 0, capacity: 0, used: 0, queued: 0, free: 0};

    for (const {online, load} of services) {
        if (online) {
            sum.online++;
            sum.capacity += count(load?.capacity);
            sum.used += count(load?.used);
            sum.queued += count(load?.queued);
            sum.free += Math.max(0, count(load?.capacity)
                                    - count(load?.used));
        }
    }

    return sum;
}


/** Whether a browser is to be had. */
export function placesWords({online, capacity, free, queued}) {
    if (online === 0) {
        return "No browser service is online";
    }

    if (free === 0) {
        return `All ${capacity} browsers are in use`
               + (queued > 0 ? `, ${queued} in line` : "");
    }

    return `${free} of ${capacity} browsers free`;
}


/** A service's load in one line. */
export function loadWords({online, load}) {
    if (!online) {
        return "Offline";
    }

    if (!load) {
        return "Online";
    }

    return `${count(load.used)} of ${count(load.capacity)} in use`
           + (count(load.queued) > 0
              ? `, ${load.queued} of ${count(load.queue)} in line` : "");
}


const RECORDED = {
    __proto__: null,
    on: {chip: "Recorded",
         help: "This session is recorded: picture and sound are kept, and "
               + "who took part."},
    lost: {chip: "Recording interrupted",
           help: "This session is to be recorded, and the recorder is away "
                 + "just now."},
    off: {chip: "", help: ""},
};


/** @param {"on"|"lost"|"off"} state  of recordingOf() */
export function recordedWords(state) {
    return RECORDED[state] ?? RECORDED.off;
}


/* why the rendered browser did not do it */
const BLOCKED = {
    __proto__: null,
    policy: ["That address is not allowed here",
             "The session's rules name the addresses that may be opened."],
    network: ["That address is not within reach",
              "The browser reaches public addresses only, and those its operator allows."],
    scheme: ["That kind of address is not opened", "Pages of http and https are."],
    submit: ["Forms are not sent",
             "In this session only the visitor may send them."],
    size: ["That download is not kept",
           "It is too large, or there is no room beside the files there are."],
    other: ["That was not allowed", ""],
};


/** @returns {{title: string, help: string}} */
export function blockedWords(why) {
    const [title, help] = BLOCKED[why] ?? BLOCKED.other;

    return {title, help};
}


const DOCUMENT_ERRORS = {
    __proto__: null,
    too_large: "It is too large to be shown.",
    type_refused: "It is not what its name says, or nothing that can be shown.",
    bomb: "It unpacks to far more than it is, and is not opened.",
    convert_failed: "It could not be converted. It may be damaged, or protected by a password.",
    timeout: "Its conversion took too long.",
    forbidden: "Whoever has control shows documents.",
    unavailable: "No documents can be shown here.",
    not_found: "It did not arrive in the browser's folder.",
    busy: "Another document is being converted. Try again in a moment.",
};


/** How far a document is: for people, with what the other side said. */
export function documentWords({state, code, message}) {
    if (state === "converting") {
        return "Being prepared…";
    }

    if (state === "shown") {
        return "Shown";
    }

    return [DOCUMENT_ERRORS[code] ?? "It cannot be shown.",
            message ? `(${message})` : ""].filter(isText).join(" ");
}


const ACTORS = {
    __proto__: null,
    key: "API key", user: "User", device: "Device", guest: "Guest",
    participant: "Participant", bootstrap: "Bootstrap", unknown: "Unknown",
    gateway: "Gateway",
};

const OBJECTS = {
    __proto__: null,
    devices: "device", sessions: "session", enrollments: "enrolment",
    groups: "group", policies: "policy", grants: "grant", keys: "API key",
    users: "user", audit: "audit", node: "node",
};


/** Where a tunnel leads, and what for. */
export function tunnelWords(tunnel) {
    const where = tunnel.target === "shell"
                  ? "its shell"
                  : tunnel.target + (tunnel.protocol === "udp" ? " (UDP)"
                                                               : "");

    return tunnel.label ? `${tunnel.label} \u00b7 ${where}` : where;
}


/** Who made it. */
export function tunnelMaker({created_by: by}) {
    return by.name || by.id;
}


/** What there is to know of it: names and words. */
export function tunnelFacts(tunnel) {
    return [
        ["Target", `${tunnel.target} (${tunnel.protocol})`],
        ["Made by", tunnelMaker(tunnel)],
        ["Opened", whenWords(tunnel.created_at)],
        ["Ends", whenWords(tunnel.expires_at)],
        ["Open connections", String(tunnel.pipes)],
        ["To the device", byteWords(tunnel.bytes_up)],
        ["From the device", byteWords(tunnel.bytes_down)],
        ...(tunnel.port ? [["Port of the gateway", String(tunnel.port)]]
                        : []),
        ["Id", tunnel.id],
    ];
}


/** Who did something, of a line of the audit. */
export function actorWords(actor) {
    const kind = ACTORS[actor?.kind] ?? "";

    return actor?.name ? actor.name : [kind, actor?.id].filter(isText)
                                                       .join(" ");
}


/** "sessions:write" -> "Session: write"; what else there is as it is. */
export function verbWords(verb) {
    const [first] = String(verb ?? "").split(" ");
    const [object, act] = first.split(":");
    const words = act ? `${OBJECTS[object] ?? object}: ${act}`
                      : first.replaceAll("_", " ");

    return words === "" ? "Something" : words[0].toUpperCase()
                                        + words.slice(1);
}


export function rateWords(bits) {
    return bits >= 1e6 ? (bits / 1e6).toFixed(1) + " Mbit/s"
                       : Math.round(bits / 1e3) + " kbit/s";
}


/** "12.3 MB"; decimal, as disks are sold. */
export function byteWords(bytes) {
    const units = ["bytes", "kB", "MB", "GB", "TB"];
    let n = bytes;
    let i = 0;

    while (n >= 999.95 && i < units.length - 1) {
        n /= 1000;
        i++;
    }

    return (i === 0 ? String(n) : n.toFixed(n < 100 ? 1 : 0)) + "\u00a0"
           + units[i];
}


/** How far a file is. */
export function transferWords(t) {
    const some = `${byteWords(t.done)} of ${byteWords(t.size)}`;

    switch (t.state) {

    case "waiting":
        return t.done > 0 ? `Waiting at ${some}` : "Waiting";

    case "checking":
        return "Comparing what is there\u2026";

    case "running":
        return some;

    case "paused":
        return `Paused at ${some}`;

    case "finishing":
        return "Being written\u2026";

    case "done":
        return t.arrived !== null && t.arrived !== t.name
               ? `${byteWords(t.size)}, arrived as \u201c${t.arrived}\u201d`
               : `${byteWords(t.size)}, arrived and compared`;

    default:
        return "Cancelled";
    }
}


const FILE_ERRORS = {
    forbidden: "Not allowed in this session.",
    not_found: "The device does not have this file any more.",
    too_large: "The device does not take files of this size.",
    no_space: "The device has no room for it.",
    busy: "The device is busy with other files. Try again later.",
    exists: "The device has too many files of this name.",
    changed: "The file changed while it was on its way.",
    hash_mismatch: "What arrived is not what was sent. Nothing of it was kept.",
    io: "The device cannot read or write its folder.",
    read: "This browser cannot read the file any more. Choose it again.",
    write: "This browser cannot keep the file.",
    protocol: "The device answered what nobody understands.",
};


/** Why a file did not arrive: for people, then as it was told. */
export function fileErrorWords({code, message}) {
    return `${FILE_ERRORS[code] ?? "It did not arrive."} (${message})`;
}
