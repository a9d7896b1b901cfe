
/*
 * Copyright (C) rs-gateway contributors
 *
 * What a stack's coturn says itself: the allocations it has, by its CLI.
 */

import { readFile } from "node:fs/promises";
import { connect } from "node:net";

const DEADLINE_MS = 10000;


/** The answer to one command, without the prompt. */
async function ask({cli_port, cli_password_file}, command) {
    const password = (await readFile(cli_password_file, "utf8")).trim();
    const socket = connect(cli_port, "127.0.0.1");
    let text = "";
    let wake = () => {};

    socket.setEncoding("latin1");
    socket.setTimeout(DEADLINE_MS, () => socket.destroy(
        new Error(`coturn's CLI says nothing behind "${text}"`)));
    socket.on("data", (data) => { text += data; wake(); });

    const failed = new Promise((_, reject) => {
        socket.on("error", reject);
        socket.on("close", () => reject(new Error("coturn's CLI closed")));
    });

    failed.catch(() => {});

    async function prompt(end) {
        while (!text.endsWith(end)) {
            await Promise.race([failed,
                                new Promise((resolve) => { wake = resolve; })]);
        }

        const got = text.slice(0, -end.length);

        text = "";

        return got;
    }

    try {
        await prompt("Enter password: \r\n");
        socket.write(`${password}\r\n`);
        await prompt("> ");
        socket.write(`${command}\r\n`);

        return await prompt("> ");

    } finally {
        socket.destroy();
    }
}


/** Users of the allocations of a session: one entry for each allocation. */
export async function allocations(stack, session) {
    const text = await ask(stack.state.turn.authd, "ps");
    const blocks = text.split(/\n\s*(?=\d+\) id=)/);

    return blocks.filter((block) => /relay addr \S/.test(block))
                 .map((block) => /user <([^>]*)>/.exec(block)?.[1] ?? "")
                 .filter((user) => user.split(".")[1] === session);
}
