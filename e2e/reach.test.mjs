
/*
 * Copyright (C) rs-gateway contributors
 *
 * What the console reaches through a pipe: a shell of the device in a
 * terminal, a VNC server at it, and the page that lists tunnels.
 */

import test, { after, before } from "node:test";
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { createServer } from "node:net";

import { Browser, screenshot } from "./lib/browser.mjs";
import { Stack } from "./lib/stack.mjs";
import { SPOTS, TestWindow } from "./lib/testwin.mjs";
import { until } from "./lib/wait.mjs";


const DESK = {width: 1280, height: 860};
const OUTPUT = 10 * 1024 * 1024;        /* bytes that the shell writes */

/* the user whom the device's configuration names */
const USER = "nobody";

let stack, window, browser, vnc, vncPort;


/* a port that nothing has; x11vnc says so if something took it meanwhile */
async function freePort() {
    const server = createServer().listen(0, "127.0.0.1");

    await once(server, "listening");

    const {port} = server.address();

    server.close();
    await once(server, "close");

    return port;
}


async function startVnc() {
    vnc = spawn("x11vnc", ["-display", stack.state.desktop.display,
                           "-rfbport", String(vncPort), "-listen",
                           "127.0.0.1", "-no6", "-forever", "-nopw",
                           "-noxdamage", "-quiet"],
                {stdio: ["ignore", "pipe", "inherit"],
                 env: {...process.env,
                       XAUTHORITY: stack.state.desktop.xauthority}});

    /* "PORT=n" is said when it listens */
    let said = "";

    vnc.stdout.on("data", (chunk) => {
        said += chunk;
    });
    await until("x11vnc that listens", () => said.includes(`PORT=${vncPort}`));
}


before(async () => {
    vncPort = await freePort();
    stack = await Stack.up([
        "--agent",
        "--agent-conf", "tunnels.shell=true",
        "--agent-conf", `tunnels.shell_user=${USER}`,
        "--agent-conf", `tunnels.allow=127.0.0.1:${vncPort}`]);
    window = await TestWindow.open(stack.state.desktop);
    browser = await Browser.start(stack);
    await startVnc();
}, {timeout: 120000});


after(async () => {
    vnc?.kill();
    await browser?.close();
    await window?.close();
    await stack?.down();
}, {timeout: 60000});


async function signIn(page) {
    await page.goto(stack.url + "console/");
    await page.fill("#key", stack.key);
    await page.click("#signin-go");
    await page.waitForSelector(
        `.device[data-device="${stack.device}"][data-online="true"]`);
}


async function openDevice(page) {
    await page.click(`.device[data-device="${stack.device}"] .name`);
    await page.waitForSelector("#device[open]");
}


/* what the terminal shows, lines put together where they wrapped */
function screen(page) {
    return page.evaluate(() => [...document.querySelectorAll(
        "#terminal .xterm-rows > div")].map((row) => row.textContent)
        .join("\n"));
}


async function says(page, wanted, what) {
    await until(what, async () => wanted.test(await screen(page)))
        .catch(async (e) => {
            e.message += ": " + JSON.stringify(await screen(page));
            throw e;
        });
}


/* or what it says instead */
async function isOpen(page, id) {
    await until(`${id} that is open`, async () => {
        const text = await page.textContent(`${id} .error`);

        assert.equal(text, "");

        return page.$(`${id}[data-state="open"]`);
    });
}


async function openTerminal(page) {
    await signIn(page);
    await openDevice(page);
    await page.click("#device button:text-is('Terminal')");
    await isOpen(page, "#terminal");
    await says(page, /[$#%>] *$/m, "a prompt");
}


test("a terminal: who it is, what is typed, its size",
     {timeout: 120000}, async () => {
    const page = await browser.page({viewport: DESK});
    const broken = [];

    page.on("console", (m) => {
        if (/Content Security Policy/.test(m.text())) {
            broken.push(m.text());
        }
    });

    await openTerminal(page);
    await page.keyboard.type("echo I am $(id -un), $((6 * 7))\n");
    await says(page, new RegExp(`I am ${USER}, 42`), "the configured user");

    const size = async () => {
        await page.keyboard.type("clear; echo size $(stty size) end\n");
        await says(page, /size \d+ \d+ end/, "its size");

        return /size (\d+) (\d+) end/.exec(await screen(page)).slice(1)
                                     .map(Number);
    };
    const large = await size();

    await page.setViewportSize({width: 800, height: 500});
    await until("smaller size", async () => {
        const [rows, columns] = await size();

        return rows < large[0] && columns < large[1];
    });

    await screenshot(page, "terminal");
    assert.deepEqual(broken, []);
    await page.close();
});


/* what the shell wrote, as it comes in the messages of the page's pipe */
function listen(page) {
    const heard = {parts: [], bytes: 0};

    page.on("websocket", (ws) => {
        if (!new URL(ws.url()).pathname.endsWith("/pipe")) {
            return;
        }

        ws.on("framereceived", ({payload}) => {
            if (payload[0] === 0) {
                heard.parts.push(payload.subarray(1));
                heard.bytes += payload.length - 1;
            }
        });
    });

    return heard;
}


test("a terminal: 10 MB of output, whole", {timeout: 240000}, async () => {
    const page = await browser.page({viewport: DESK});
    const heard = listen(page);
    const line = "0123456789abcdefghijklmnopqrstuvwxyz rs-gateway\n";
    const lines = Math.ceil(OUTPUT / line.length);

    await openTerminal(page);
    await page.keyboard.type(
        `stty -onlcr; yes '${line.trimEnd()}' | head -n ${lines}; `
        + "stty onlcr; echo done $((40 + 2))\n");
    await says(page, /done 42/, "its end");

    const all = Buffer.concat(heard.parts).toString("latin1");
    const begin = all.indexOf("\n" + line) + 1;
    const whole = line.repeat(lines);

    assert.ok(begin > 0, "its beginning");
    assert.ok(all.slice(begin, begin + whole.length) === whole,
              "each byte of it, once and in order");

    await page.keyboard.type("echo still $((40 + 3))\n");
    await says(page, /still 43/, "it goes on");
    await page.close();
});


test("a terminal: the window is closed, and the shell is gone",
     {timeout: 120000}, async () => {
    const page = await browser.page({viewport: DESK});
    const ids = async () => (await stack.api.page("/tunnels", {limit: 200}))
                            .items.map((t) => t.id);
    const before = await ids();

    await openTerminal(page);
    await page.keyboard.type("echo pid $$ end\n");
    await says(page, /pid \d+ end/, "its process");

    const pid = Number(/pid (\d+) end/.exec(await screen(page))[1]);

    const mine = (await ids()).filter((id) => !before.includes(id));

    assert.equal(mine.length, 1);
    await page.click("#terminal button:text-is('Close')");
    await until("end of its tunnel",
                async () => !(await ids()).includes(mine[0]));
    await until(`end of its shell ${pid}`, () => !existsSync(`/proc/${pid}`));
    await page.close();
});


test("a terminal: the page is left, and its tunnel goes with it",
     {timeout: 120000}, async () => {
    const page = await browser.page({viewport: DESK});
    const ids = async () => (await stack.api.page("/tunnels", {limit: 200}))
                            .items.map((t) => t.id);
    const before = await ids();

    await openTerminal(page);

    const mine = (await ids()).filter((id) => !before.includes(id));

    assert.equal(mine.length, 1);
    await page.goto("about:blank");
    await until("end of its tunnel",
                async () => !(await ids()).includes(mine[0]));
    await page.close();
});


test("a shell that ends, and one that is begun again",
     {timeout: 120000}, async () => {
    const page = await browser.page({viewport: DESK});

    await openTerminal(page);
    await page.keyboard.type("exit\n");
    await page.waitForSelector('#terminal[data-state="closed"]');
    await page.click("#terminal button:text-is('Connect again')");
    await isOpen(page, "#terminal");
    await says(page, /[$#%>] *$/m, "a prompt");
    await page.close();
});


test("VNC: the desk's colours, and a click", {timeout: 120000}, async () => {
    const page = await browser.page({viewport: DESK});
    const {look, color} = SPOTS.red;

    await signIn(page);
    await openDevice(page);
    await page.click("#device button:text-is('VNC…')");
    await page.fill("#vnc-place", `127.0.0.1:${vncPort}`);
    await page.click("#vnc-ask button[type='submit']");
    await isOpen(page, "#vnc");

    const pixel = () => page.evaluate(({x, y}) => {
        const canvas = document.querySelector("#vnc canvas");

        if (!canvas || canvas.width < x) {
            return null;
        }

        return [...canvas.getContext("2d").getImageData(x, y, 1, 1).data]
               .slice(0, 3);
    }, look);

    await until("red on the screen", async () => {
        const seen = await pixel();

        return seen?.every((v, i) => Math.abs(v - color[i]) < 24);
    });

    /* where it is on the page, which shows it smaller or larger */
    const place = await page.evaluate(({x, y}) => {
        const canvas = document.querySelector("#vnc canvas");
        const box = canvas.getBoundingClientRect();

        return {x: box.x + x * box.width / canvas.width,
                y: box.y + y * box.height / canvas.height};
    }, SPOTS.green);

    window.clear();
    await page.mouse.click(place.x, place.y);
    await window.wait({event: "button"});
    await screenshot(page, "vnc");
    await page.close();
});


test("VNC: a place that the device does not allow", {timeout: 60000},
     async () => {
    const page = await browser.page({viewport: DESK});

    await signIn(page);
    await openDevice(page);
    await page.click("#device button:text-is('VNC…')");
    await page.fill("#vnc-place", "127.0.0.1:22");
    await page.click("#vnc-ask button[type='submit']");
    await page.waitForSelector('#vnc[data-state="closed"]');

    const text = await page.textContent("#vnc .error");

    assert.match(text, /target_refused/);
    await page.close();
});


test("the page of tunnels shows one, and closes it", {timeout: 120000},
     async () => {
    const page = await browser.page({viewport: DESK});
    const {id, created_by: by} = await stack.api.post(
        `/devices/${stack.device}/tunnels`, {
            target: `127.0.0.1:${vncPort}`, protocol: "tcp",
            label: "the desk's VNC"});

    await signIn(page);
    await page.click('a[data-page="tunnels"]');
    await page.waitForSelector("#tunnels :text('the desk\\'s VNC')");
    await screenshot(page, "tunnels");
    await page.click("#tunnels :text('the desk\\'s VNC')");
    await page.waitForSelector(`#tunnels dd:text-is('${id}')`);
    await page.waitForSelector(
        `#tunnels dd:text-is('${by.name || by.id}')`);
    await page.click("#tunnels button:text-is('Close this tunnel')");
    await until("end of it", async () => {
        const {items} = await stack.api.page("/tunnels");

        return items.every((t) => t.id !== id);
    });
    await page.close();
});
