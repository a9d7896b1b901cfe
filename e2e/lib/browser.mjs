
/*
 * Copyright (C) rs-gateway contributors
 *
 * A Chromium that trusts the stack's CA, also for TURN over TLS, and what
 * the tests read out of a page: peer connections, close codes, pixels.
 */

import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

import { chromium } from "playwright-core";

import { TOP } from "./stack.mjs";
import { DEADLINE_MS, until } from "./wait.mjs";


const run = promisify(execFile);

const CHROMIUM = process.env.RS_CHROMIUM ?? "/usr/bin/chromium";

const FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
    "--autoplay-policy=no-user-gesture-required",
    "--disable-features=WebRtcHideLocalIpsWithMdns",
    "--force-webrtc-ip-handling-policy=default",
];


/* runs in each page before its own scripts: keeps what it makes, in order,
 * and is without what a test sets in rsKept.without */
function keep() {
    const kept = {connections: [], channels: [], sockets: [], without: {}};

    window.rsKept = kept;

    const {RTCPeerConnection, WebSocket} = window;

    window.RTCPeerConnection = class extends RTCPeerConnection {
        constructor(...args) {
            super(...args);
            kept.connections.push(this);
        }

        createDataChannel(...args) {
            if (kept.without.channels) {
                throw new DOMException("without", "NotSupportedError");
            }

            const channel = super.createDataChannel(...args);

            kept.channels.push(channel);
            return channel;
        }
    };

    /* a resume token that no gateway knows */
    const spoilt = (protocol) => protocol.startsWith("rs.resume.")
        ? protocol.replace(/[a-z2-7]{52}/, "a".repeat(52)) : protocol;

    window.WebSocket = class extends WebSocket {
        constructor(url, protocols) {
            super(url, kept.without.resume ? protocols.map(spoilt)
                                           : protocols);

            /* hear: as if the gateway had said it */
            const seen = {url: this.url, protocols, code: null, at: null,
                          hear: (message) => this.onmessage(
                              {data: JSON.stringify(message)})};

            kept.sockets.push(seen);
            this.addEventListener("close", (ev) => {
                seen.code = ev.code;
                seen.at = Date.now();
            });
        }
    };
}


export class Browser {
    /** enter: what stands in front of a command to run it somewhere else;
     *  flags: of Chromium, besides those of all. */
    static async start(stack, enter = [], flags = []) {
        const browser = new Browser();

        browser.home = await mkdtemp(join(tmpdir(), "rs-e2e-home-"));

        const nss = join(browser.home, ".pki", "nssdb");

        await mkdir(nss, {recursive: true});
        await run("certutil", ["-N", "-d", "sql:" + nss,
                               "--empty-password"]);
        await run("certutil", ["-A", "-d", "sql:" + nss, "-n", "rs-e2e",
                               "-t", "C,,", "-i", stack.state.ca]);

        let executablePath = CHROMIUM;

        if (enter.length > 0) {
            executablePath = join(browser.home, "chromium");
            await writeFile(executablePath, `#!/bin/sh\nexec ${
                enter.join(" ")} ${CHROMIUM} "$@"\n`, {mode: 0o755});
        }

        browser.it = await chromium.launch({
            executablePath, args: [...FLAGS, ...flags],
            env: {...process.env, HOME: browser.home},
        });

        return browser;
    }

    async close() {
        await this.it.close();
        await rm(this.home, {recursive: true, force: true, maxRetries: 5});
    }

    /**
     * A page in a context of its own.  What the page complains of is kept in
     * complaints: a test that ends well has none but those it expects.
     * pipe: it may go through the gateway where there is no path; what is
     * tested else is whether there is one.
     */
    async page({pipe = false, ...o} = {}) {
        const context = await this.it.newContext({
            viewport: {width: 1440, height: 900}, ...o});

        await context.addInitScript(keep);

        if (!pipe) {
            await context.addInitScript(() => delete window.VideoDecoder);
        }

        const page = await context.newPage();

        page.setDefaultTimeout(3 * DEADLINE_MS);
        page.complaints = [];
        page.on("pageerror", (e) => page.complaints.push(e.message));
        page.on("console", (m) => {
            if (/Content.Security.Policy|Refused to/i.test(m.text())) {
                page.complaints.push(m.text());
            }
        });

        return page;
    }
}


/** Waits until the stage shows the remote screen. */
export async function connected(page) {
    await page.waitForSelector('#stage[data-state="connected"]')
              .catch(async () => {
        throw new Error("not connected: " + (await stageText(page)));
    });

    await until("picture", () => page.$eval("#screen",
                                            (v) => v.videoWidth > 0));
}


export function stageText(page) {
    return page.$eval("#stage", (stage) => stage.innerText
                                                .replace(/\s+/g, " "));
}


/** Frames the newest peer connection has decoded. */
export function frames(page) {
    return page.evaluate(async () => {
        const pc = window.rsKept.connections.at(-1);

        for (const s of (await pc.getStats()).values()) {
            if (s.type === "inbound-rtp" && s.kind === "video") {
                return s.framesDecoded;
            }
        }

        return 0;
    });
}


/** The selected pair as Chromium has it: {local, remote} candidates. */
export function selectedPair(page) {
    return page.evaluate(async () => {
        const stats = await window.rsKept.connections.at(-1).getStats();
        const t = [...stats.values()].find((s) => s.type === "transport");
        const pair = stats.get(t.selectedCandidatePairId);

        return {local: stats.get(pair.localCandidateId),
                remote: stats.get(pair.remoteCandidateId)};
    });
}


/** The colour shown at a pixel of the picture: the mean of 5 by 5. */
function pixel(page, {x, y}) {
    return page.$eval("#screen", (video, at) => {
        const canvas = document.createElement("canvas");

        canvas.width = video.videoWidth;
        canvas.height = video.videoHeight;

        const c = canvas.getContext("2d");

        c.drawImage(video, 0, 0);

        const {data} = c.getImageData(at.x - 2, at.y - 2, 5, 5);
        const sum = [0, 0, 0];

        for (let i = 0; i < data.length; i++) {
            if (i % 4 < 3) {
                sum[i % 4] += data[i];
            }
        }

        return sum.map((v) => Math.round(v / 25));
    }, {x, y});
}


/** Codecs and colour spaces move a colour a little. */
function near(a, b) {
    return a.every((v, i) => Math.abs(v - b[i]) <= 30);
}


/** Waits until a colour is at a pixel of the picture. */
export async function shows(page, at, color) {
    await until(`${color} at ${at.x}, ${at.y} of the picture`, async () => {
        const seen = await pixel(page, at);

        if (!near(seen, color)) {
            throw new Error(`it is ${seen}`);
        }

        return true;
    });
}


/** Where a pixel of the remote picture lies in the page. */
export function place(page, {x, y}) {
    return page.$eval("#screen", (video, at) => {
        const box = video.getBoundingClientRect();
        const scale = Math.min(box.width / video.videoWidth,
                               box.height / video.videoHeight);

        return [box.left + (box.width - video.videoWidth * scale) / 2
                + (at.x + 0.5) * scale,
                box.top + (box.height - video.videoHeight * scale) / 2
                + (at.y + 0.5) * scale];
    }, {x, y});
}


/** Makes the page as large as it must be to show the picture 1 to 1. */
export async function oneToOne(page) {
    const [bar, width, height] = await page.$eval("#screen", (video) => [
        video.getBoundingClientRect().top, video.videoWidth,
        video.videoHeight]);

    await page.setViewportSize({width, height: Math.ceil(height + bar)});
    await until("picture of 1 to 1", () => page.$eval("#screen", (video) => {
        const box = video.getBoundingClientRect();

        return box.width === video.videoWidth
               && Math.abs(box.height - video.videoHeight) < 1;
    }));
}


/** Into build/screens/. */
export async function screenshot(page, name) {
    const dir = join(TOP, "build", "screens");

    await mkdir(dir, {recursive: true});
    await page.screenshot({path: join(dir, name + ".png")});
}
