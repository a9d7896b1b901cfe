
/*
 * Copyright (C) rs-gateway contributors
 *
 * A receiver of webhooks at the hub, and which sessions it was told the end of.
 */

import { createServer } from "node:http";


const BODY_MAX = 1 << 16;


export class Hook {
    /** Listens at the address and has the fleet tell it of sessions' ends. */
    static async open(fleet) {
        const hook = new Hook();

        hook.fleet = fleet;
        hook.ended = new Set();
        hook.server = createServer((req, res) => hook.#taken(req, res));
        await new Promise((resolve, reject) => {
            hook.server.on("error", reject);
            hook.server.listen(0, fleet.state.hub, resolve);
        });
        hook.made = await fleet.rest(fleet.key, "POST", "/webhooks", {
            url: `http://${fleet.state.hub}:${hook.server.address().port}/`,
            types: ["session.ended"]});

        return hook;
    }

    #taken(req, res) {
        let text = "";

        req.setEncoding("utf8");
        req.on("data", (chunk) => {
            text += chunk;

            if (text.length > BODY_MAX) {
                req.destroy();
            }
        });
        req.on("end", () => {
            this.ended.add(JSON.parse(text).data.session_id);
            res.writeHead(204).end();
        });
    }

    /** What the fleet says of its deliveries. */
    told() {
        return this.fleet.rest(this.fleet.key, "GET",
                               `/webhooks/${this.made.id}`);
    }

    async close() {
        await this.fleet.rest(this.fleet.key, "DELETE",
                              `/webhooks/${this.made.id}`);
        this.kill();
    }

    kill() {
        this.server.close();
        this.server.closeAllConnections();
    }
}
