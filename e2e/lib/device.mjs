
/*
 * Copyright (C) rs-gateway contributors
 *
 * A device that is played by a page of Chromium, so that a test decides what
 * it says: it enrols, proves its key, joins the sessions it is invited to,
 * and answers offers with a picture of its own, or with whatever else the
 * test wants.  As a renderer it lets sessions wait, and says what page it
 * shows.
 */


/* runs in the page */
function install() {
    const {subtle} = crypto;
    const encoder = new TextEncoder();

    const encode = (bytes) => btoa(String.fromCharCode(
        ...new Uint8Array(bytes)))
        .replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
    const decode = (text) => Uint8Array.from(
        atob(text.replace(/-/g, "+").replace(/_/g, "/")),
        (c) => c.charCodeAt(0));

    const fingerprint = (sdp) => "sha-256 "
        + /^a=fingerprint:sha-256 (\S+)/m.exec(sdp)[1].toUpperCase();

    async function newKey() {
        const pair = await subtle.generateKey("Ed25519", false,
                                              ["sign", "verify"]);

        return {
            text: encode(await subtle.exportKey("raw", pair.publicKey)),
            sign: async (...parts) => encode(await subtle.sign(
                "Ed25519", pair.privateKey, new Uint8Array(
                    parts.flatMap((part, i) => [
                        ...(i === 0 ? [] : [0]),
                        ...(typeof part === "string" ? encoder.encode(part)
                                                     : part)])))),
        };
    }

    function picture() {
        const canvas = document.createElement("canvas");

        canvas.width = 320;
        canvas.height = 240;

        const c = canvas.getContext("2d");
        const paint = () => {
            c.fillStyle = `rgb(${Date.now() % 255} 90 160)`;
            c.fillRect(0, 0, 320, 240);
        };

        paint();
        setInterval(paint, 50);

        return canvas.captureStream(20);
    }

    window.rsDevices = new Map();

    /* what: name, meta?, agent?, online?, load?, queued?, page?; gives its
     * id */
    window.rsEnroll = async (base, enrollment, what) => {
        const key = await newKey();
        const response = await fetch(base + "/devices", {
            method: "POST",
            headers: {"Content-Type": "application/json"},
            body: JSON.stringify({enrollment, public_key: key.text,
                                  name: what.name, meta: what.meta}),
        });
        const answer = await response.json();

        if (!response.ok) {
            throw new Error(JSON.stringify(answer));
        }

        const {device, tenant} = answer;
        const it = {id: device.id, tenant, key, sessions: new Map(),
                    offers: [], reply: "answer", load: what.load,
                    queued: what.queued, shows: what.page, asked: []};

        window.rsDevices.set(it.id, it);

        if (what.online) {
            await online(base, it, what.agent);
        }

        return it.id;
    };

    function online(base, it, agent) {
        return new Promise((resolve, reject) => {
            const socket = new WebSocket(base.replace(/^http/, "ws")
                                         + "/agent", ["rs.v1"]);

            it.socket = socket;
            socket.onclose = (ev) => reject(new Error(`closed ${ev.code}`));
            socket.onmessage = async ({data}) => {
                const m = JSON.parse(data);

                if (m.type === "challenge") {
                    socket.send(JSON.stringify({
                        type: "hello", tenant: it.tenant, device_id: it.id,
                        signature: await it.key.sign(
                            "rs-agent-v1", location.hostname, it.tenant,
                            it.id, decode(m.nonce)),
                        agent}));
                }

                if (m.type === "welcome") {
                    if (it.load) {
                        socket.send(JSON.stringify({type: "load",
                                                    ...it.load}));
                    }

                    resolve();
                }

                if (m.type === "ping") {
                    socket.send('{"type":"pong"}');
                }

                if (m.type === "rotated") {
                    it.rotated();
                }

                if (m.type === "invite") {
                    invited(base, it, socket, m);
                }
            };
        });
    }

    function invited(base, it, socket, {session, ticket}) {
        const id = session.id ?? session;

        if (it.reject) {
            socket.send(JSON.stringify({type: "reject", session_id: id,
                                        ...it.reject}));
            return;
        }

        if (it.queued) {
            it.place = (position) => socket.send(JSON.stringify(
                {type: "queued", session_id: id, position}));
            it.begin = () => accepted(base, it, socket, id, ticket);
            it.place(it.queued);
            return;
        }

        accepted(base, it, socket, id, ticket);
    }

    function accepted(base, it, socket, id, ticket) {
        socket.send(JSON.stringify({type: "accept", session_id: id}));

        const s = new WebSocket(base.replace(/^http/, "ws") + "/signal",
                                ["rs.v1", "rs.ticket." + ticket]);
        let next = 1;
        const say = (to, message) => s.send(JSON.stringify(
            {type: "signal", to, id: next++, data: message}));

        it.sessions.set(id, {say});
        s.onmessage = ({data}) => {
            const m = JSON.parse(data);

            if (m.type === "ping") {
                s.send('{"type":"pong"}');
            }

            if (m.type === "signal" && m.data.kind === "offer") {
                it.offers.push(m.data);
                offered(it, id, say, m);
            }
        };
    }

    /* the rendered browser's channel */
    function showPage(it, channel) {
        it.say = (message) => channel.send(JSON.stringify(message));
        channel.onopen = () => it.say({type: "hello", ...it.shows});
        channel.onmessage = ({data}) => it.asked.push(JSON.parse(data));
        channel.onopen();
    }

    async function offered(it, session, say, {from, data}) {
        if (typeof it.reply !== "string") {
            say(from, {kind: "failed", pc: data.pc, ...it.reply});
            return;
        }

        const pc = new RTCPeerConnection();

        pc.ondatachannel = ({channel}) => {
            if (channel.label === "rs-page") {
                showPage(it, channel);
                return;
            }

            channel.onopen = () => channel.send(JSON.stringify(
                {type: "hello", width: 320, height: 240, input: true}));
            channel.onmessage = (ev) => {
                const {type, n} = JSON.parse(ev.data);

                if (type === "ping") {
                    channel.send(JSON.stringify({type: "pong", n}));
                }
            };
            channel.onopen();
        };
        pc.onicecandidate = ({candidate}) => say(from, {
            kind: "candidate", pc: data.pc,
            candidate: candidate?.candidate ?? "",
            sdpMLineIndex: candidate?.sdpMLineIndex ?? 0,
            sdpMid: candidate?.sdpMid ?? ""});

        await pc.setRemoteDescription({type: "offer", sdp: data.sdp});

        const stream = picture();

        for (const track of stream.getTracks()) {
            pc.addTrack(track, stream);
        }

        const answer = await pc.createAnswer();
        const device = {
            public_key: it.key.text,
            signature: await it.key.sign(
                "rs-device-v1", session, it.id, from, String(data.pc),
                fingerprint(data.sdp), fingerprint(answer.sdp),
                ...(it.operator?.verified ? ["verified"] : [])),
        };

        say(from, {kind: "answer", pc: data.pc, sdp: answer.sdp,
                   device: {...device, ...it.device},
                   operator: it.operator});
        await pc.setLocalDescription(answer);
    }

    /* another key, with a statement of the old one that the gateway hears of,
     * or as somebody who never had the old one */
    window.rsChangeKey = async (id, told) => {
        const it = window.rsDevices.get(id);
        const next = await newKey();
        const parts = ["rs-device-key-v1", it.tenant, id, it.key.text,
                       next.text];

        if (told) {
            const rotated = new Promise((resolve) => {
                it.rotated = resolve;
            });

            it.socket.send(JSON.stringify({
                type: "rotate", public_key: next.text,
                signature: await it.key.sign(...parts),
                proof: await next.sign(...parts)}));
            await rotated;
        }

        it.key = next;

        return next.text;
    };
}


/** A page that plays devices of a stack. */
export class DevicePage {
    static async open(browser, stack) {
        const it = new DevicePage();

        it.page = await browser.page();
        it.stack = stack;
        await it.page.goto(stack.url + "console/");
        await it.page.evaluate(install);

        return it;
    }

    /** @returns {Promise<string>} the device's id */
    async enroll(what, tags = [], kind = undefined) {
        const {token} = await this.stack.api.createEnrollment({
            tags, ...(kind ? {kind} : {})});

        return this.page.evaluate(
            ([base, token, what]) => window.rsEnroll(base, token, what),
            [this.stack.state.base, token, what]);
    }

    /**
     * Sets members of a device: reply, of a failure instead of an answer;
     * reject, of an invitation; operator, device, of an answer.
     */
    set(id, members) {
        return this.page.evaluate(
            ([id, members]) => Object.assign(window.rsDevices.get(id),
                                             members) && null,
            [id, members]);
    }

    /** What a renderer's viewers asked of its page so far. */
    asked(id) {
        return this.page.evaluate((id) => window.rsDevices.get(id).asked, id);
    }

    /** A renderer says something of its page. */
    say(id, message) {
        return this.page.evaluate(
            ([id, message]) => window.rsDevices.get(id).say(message),
            [id, message]);
    }

    /** The place in line of whoever waits for a renderer; 0: it begins. */
    place(id, position) {
        return this.page.evaluate(
            ([id, position]) => (position === 0
                ? window.rsDevices.get(id).begin()
                : window.rsDevices.get(id).place(position)), [id, position]);
    }

    /** Another key, told to the gateway or not; gives it. */
    changeKey(id, {told}) {
        return this.page.evaluate(
            ([id, told]) => window.rsChangeKey(id, told), [id, told]);
    }

    async close() {
        await this.page.context().close();
    }
}
