
/*
 * Copyright (C) rs-gateway contributors
 *
 * A terminal of a device: xterm.js on a pipe to the agent's shell.
 */

import { FitAddon } from "../vendor/addon-fit.js";
import { Terminal } from "../vendor/xterm.js";
import { withSheets } from "../rs-sheets.js";
import { ttyData, ttyOutput, ttyPause, ttyResize } from "../rs-tty.js";
import { ReachWindow } from "./reach.js";


const BEHIND_MAX = 1024 * 1024;     /* bytes not drawn: the shell waits */
const BEHIND_MIN = 128 * 1024;      /* and goes on */
const SCROLLBACK = 5000;

const encoder = new TextEncoder();


/**
 * @param {Document} document
 * @param {{app: any}} o
 */
export function terminalWindow(document, {app}) {
    return new ReachWindow(document.getElementById("terminal"), {
        app, kind: "Terminal", stream: false,
        show: (box, pipe) => showTerminal(document, box, pipe),
    });
}


function showTerminal(document, box, pipe) {
    const terminal = new Terminal({
        scrollback: SCROLLBACK, fontFamily: "ui-monospace, monospace",
        fontSize: 14, theme: {background: "#0a0f13"}});
    const fit = new FitAddon();
    const send = (messages) => messages.forEach((m) => pipe.send(m));

    terminal.loadAddon(fit);
    withSheets(document, () => terminal.open(box));

    terminal.onData((text) => send(ttyData(encoder.encode(text))));
    terminal.onBinary((text) => send(ttyData(
        Uint8Array.from(text, (c) => c.charCodeAt(0)))));
    terminal.onResize(({cols, rows}) => pipe.send(ttyResize(cols, rows)));

    write(terminal, pipe);
    fit.fit();
    pipe.send(ttyResize(terminal.cols, terminal.rows));

    const watcher = new ResizeObserver(() => fit.fit());

    watcher.observe(box);

    return {
        focus: () => terminal.focus(),
        close: () => {
            watcher.disconnect();
            terminal.dispose();
        },
    };
}


/* no more than it can draw waits here: the rest waits where it is made */
function write(terminal, pipe) {
    let behind = 0;
    let paused = false;

    const pause = (on) => {
        paused = on;
        pipe.send(ttyPause(on));
    };

    pipe.addEventListener("data", (ev) => {
        const bytes = ttyOutput(ev.detail);

        if (bytes === null) {
            return;
        }

        behind += bytes.length;

        if (!paused && behind > BEHIND_MAX) {
            pause(true);
        }

        terminal.write(bytes, () => {
            behind -= bytes.length;

            if (paused && behind < BEHIND_MIN) {
                pause(false);
            }
        });
    });
}
