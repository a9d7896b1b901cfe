
/*
 * Copyright (C) rs-gateway contributors
 *
 * What the public host of site.mjs runs, on port 80: pages that say what was
 * done to them, and what was said.
 *
 *   /page      red with a button, blue below, a field; GREEN once clicked
 *   /probe     asks for each address of ?to=, says what became of each
 *   /rebind    asks its own name again and again, says who answers
 *   /said      POST {...}: kept; GET: all of it, and the headers of visits
 */

import { createServer } from "node:http";


const said = [];
const visits = [];

const PAGE = `<!doctype html>
<meta charset="utf-8">
<title>Site</title>
<style>
html, body { margin: 0; background: #ff0000; }
#more { position: absolute; top: 1500px; left: 0; width: 100%; height: 3000px;
        background: #0000ff; }
#button { position: fixed; left: 100px; top: 100px; width: 200px;
          height: 100px; background: #ffff00; border: 0; }
#field { position: fixed; left: 100px; top: 300px; width: 300px;
         font-size: 20px; }
</style>
<div id="more"></div>
<button id="button"></button>
<input id="field" autocomplete="off">
<script>
const say = (what) => fetch("/said", {method: "POST",
                                      body: JSON.stringify(what)});

document.getElementById("button").onclick = (ev) => {
    ev.target.style.background = "#00ff00";
    say({clicked: true});
};
document.getElementById("field").oninput = (ev) => say({typed: ev.target.value});
addEventListener("scroll", () => say({scrolled: scrollY}));
say({opened: location.href, agent: navigator.userAgent,
     size: [innerWidth, innerHeight]});
</script>
`;

/* opaque answers are answers: who may not read them has been there */
const PROBE = `<!doctype html>
<title>Probe</title>
<script>
const all = new URL(location).searchParams.getAll("to");

Promise.all(all.map(async (to) => {
    try {
        await fetch(to, {mode: "no-cors", cache: "no-store"});
        return [to, "reached"];

    } catch {
        return [to, "refused"];
    }
})).then((tried) => fetch("/said", {method: "POST", body:
    JSON.stringify({tried: Object.fromEntries(tried)})}));
</script>
`;

const REBIND = `<!doctype html>
<title>Rebind</title>
<script>
(async () => {
    const heard = [];

    for (let i = 0; i < 8; i++) {
        try {
            const r = await fetch("/who?" + i, {cache: "no-store"});

            heard.push(await r.text());

        } catch {
            heard.push("refused");
        }
    }

    await fetch(new URL(location).searchParams.get("report"),
                {method: "POST", mode: "no-cors",
                 body: JSON.stringify({heard})});
})();
</script>
`;


createServer((request, response) => {
    const {pathname} = new URL(request.url, "http://x");
    const html = {"/page": PAGE, "/probe": PROBE, "/rebind": REBIND}[pathname];

    /* each request is a connection, and so a look-up, of its own */
    response.setHeader("Connection", "close");

    if (html !== undefined) {
        visits.push(request.headers);
        response.writeHead(200, {"Content-Type": "text/html"}).end(html);

    } else if (pathname === "/who") {
        response.end("site");

    } else if (pathname === "/said" && request.method === "POST") {
        let text = "";

        request.on("data", (part) => {
            text += part;
        });
        request.on("end", () => {
            said.push(JSON.parse(text));
            response.end();
        });

    } else if (pathname === "/said") {
        response.end(JSON.stringify({said, visits}));

    } else {
        response.writeHead(404).end();
    }
}).listen(80, "0.0.0.0", () => console.log("listening"));
