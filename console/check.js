
/*
 * Copyright (C) rs-gateway contributors
 *
 * The page that checks a network, for anybody: runs rs-check.js and shows
 * what comes of it, a line each with the cure.
 */

import { resolveBase } from "./rs-client.js";
import { askGateway, kindOf, sumUp, tryServers, trySocket }
    from "./rs-check.js";
import { el } from "./rs-dom.js";
import { checkWords, networkWords } from "./rs-words.js";


const meta = document.querySelector('meta[name="rs-base"]');
const base = resolveBase(meta?.content || "../rs/v1", location.href);
const port = Number(location.port) || 443;

const verdict = document.getElementById("verdict");
const list = document.getElementById("lines");
const again = document.getElementById("again");
const copy = document.getElementById("copy");

let text = [];


/* a line: what, where, and how it went once that is known */
function line(what, where) {
    const how = el("span", {class: "how"}, "…");
    const cure = el("span", {class: "cure", hidden: true});
    const item = el("li", {dataset: {what, result: "", state: "busy"}},
                    el("strong", {}, what),
                    el("span", {class: "where"}, where), how, cure);

    list.append(item);

    return (result, o = {}) => {
        const words = checkWords(what, result, o);

        item.dataset.result = result;
        item.dataset.state = words.good ? "ok" : "bad";
        how.textContent = words.how + (o.ms === undefined
                                       ? "" : ` · ${Math.round(o.ms)} ms`);
        cure.textContent = words.cure;
        cure.hidden = words.cure === "";
        text.push(`${words.good ? "ok  " : "FAIL"} ${what} ${where}: ${
                   how.textContent}${words.cure && `\n     -> ${words.cure}`}`);
    };
}


function conclude({title, state}) {
    verdict.textContent = title;
    verdict.dataset.state = state;
    text.unshift(title);
}


const WHAT = {"stun udp": "STUN", "stun tls": "STUN", "turn udp": "TURN/UDP",
              "turn tcp": "TURN/TCP", "turn tls": "TURN/TLS"};


function serverLine(url) {
    const {kind, protocol} = kindOf(url);

    return line(WHAT[`${kind} ${protocol}`], url);
}


async function check() {
    const https = line("HTTPS", base);
    const seen = await askGateway(base, "GET");

    https(seen.result, {ms: seen.ms, seen: seen.body?.address});

    if (seen.result === "closed") {
        return networkWords({code: "no_gateway"});
    }

    const wss = line("WSS", base.replace(/^http/, "ws"));
    const [socket, given] = await Promise.all([trySocket(base),
                                               askGateway(base, "POST")]);

    wss(socket.result, {ms: socket.ms});

    if (given.result !== "ok") {
        return networkWords({code: given.result === "limited" ? "limited"
                                   : "unchecked"}, socket.result);
    }

    if (typeof RTCPeerConnection === "undefined") {
        return networkWords({code: "no_webrtc"}, socket.result);
    }

    const servers = given.body.iceServers;
    const lines = servers.flatMap(({urls}) => [urls].flat()).map(serverLine);
    const checks = await tryServers(servers, {
        each: (c, i) => lines[i](c.result, c)});

    return networkWords(sumUp(checks, port), socket.result);
}


async function run() {
    again.disabled = true;
    copy.disabled = true;
    list.replaceChildren();
    text = [];
    verdict.textContent = "Checking…";
    verdict.dataset.state = "busy";

    conclude(await check());

    again.disabled = false;
    copy.disabled = false;
}


again.addEventListener("click", run);
copy.addEventListener("click", async () => {
    try {
        await navigator.clipboard.writeText(text.join("\n") + "\n");
        copy.textContent = "Copied";

    } catch {
        copy.textContent = "The browser does not let this page copy";
    }
});

run();
