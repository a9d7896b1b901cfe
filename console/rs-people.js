
/*
 * Copyright (C) rs-gateway contributors
 *
 * Who is in the session, and who of them has control: the panel, and the
 * tools to ask for it, give it, let it go, take it and lock it.  The gateway
 * decides; what is shown is what it said last.
 *
 * peopleOf() is what the panel says, without DOM.
 */

import { el, fillError, setText } from "./rs-dom.js";


const ICON = "M9 11a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM2 21v-2a5 5 0 0 1 5-5h4a5 5 0 "
             + "0 1 5 5v2M16 3.5a4 4 0 0 1 0 7M22 21v-2a5 5 0 0 0-4-4.9";

const ROLES = {host: "at the device", browser: "the browser", controller: "may control",
               viewer: "watches", recorder: "records"};

/* what of the gateway's errors is an answer to a button of this panel */
const ANSWERS = new Set(["forbidden", "control_locked", "unknown_peer"]);


/**
 * The rows of the panel, this page's first, and what it may do itself.
 *
 * @param {import("./rs-client.js").RsSession} session
 * @returns {{people: Array<{id: string, name: string, you: boolean,
 *                           role: string, away: boolean, holds: boolean,
 *                           asked: number, give: boolean}>,
 *            mine: Array<string>, locked: boolean, lock: boolean|null}}
 *     asked: place in line, 0: is in none; mine: "request", "withdraw",
 *     "release", "take"; lock: what the lock would become, null: not mine
 */
export function peopleOf(session) {
    const control = session.control;
    const leads = session.moderator || session.role === "host";
    const holds = control !== null && control.holder === session.self;
    const rendered = session.session?.host?.type === "render";
    const asked = control?.requests.indexOf(session.self) ?? -1;
    const row = (peer, you) => ({
        id: peer.id, name: peer.name || "Unnamed", you,
        role: rendered && peer.role === "host" ? "browser" : peer.role,
        away: peer.state === "away",
        holds: control !== null && control.holder === peer.id,
        asked: (control?.requests.indexOf(peer.id) ?? -1) + 1,
        give: control !== null && !you && control.holder !== peer.id
              && (leads || (holds && !control.locked))
              && (peer.role === "controller"
                  || (peer.role === "host" && holds && !rendered)),
    });
    const mine = [];

    if (control !== null && (session.role === "controller"
                             || session.role === "host"))
    {
        if (holds) {
            mine.push("release");

        } else if (leads) {
            mine.push("take");

        } else if (asked >= 0) {
            mine.push("withdraw");

        } else if (!control.locked) {
            mine.push("request");
        }
    }

    return {
        people: [row({id: session.self, role: session.role, name: "You"},
                     true),
                 ...[...session.peers.values()]
                    .filter((p) => p.state !== "invited")
                    .map((p) => row(p, false))],
        mine, locked: control?.locked ?? false,
        lock: control !== null && leads ? !control.locked : null,
    };
}


/** What is said of one of them. */
export function personWords(person) {
    const parts = [ROLES[person.role] ?? person.role];

    if (person.holds) {
        parts[0] = person.you ? "have control" : "has control";

    } else if (person.asked > 0) {
        parts.push(person.asked === 1 ? "asks for control"
                                      : `asks for control (${person.asked}.)`);
    }

    if (person.away) {
        parts.push("away");
    }

    return parts.join(", ");
}


/** Always in sight: who else is there, and who has control. */
export function presenceWords(people) {
    const holder = people.find((p) => p.holds);
    const others = people.filter((p) => !p.you && p !== holder
                                        && !["host", "browser", "recorder"]
                                           .includes(p.role))
                         .map((p) => p.name);
    const parts = [];

    if (holder !== undefined) {
        parts.push(holder.you ? "you have control"
                   : holder.role === "host"
                   ? "the person at the device has control"
                   : `${holder.name} has control`);

    } else if (people.some((p) => p.role === "controller")) {
        parts.push("nobody has control");
    }

    if (others.length > 0) {
        parts.push(`with ${others.join(", ")}`);
    }

    const text = parts.join(" · ");

    return text.charAt(0).toUpperCase() + text.slice(1);
}


const MINE = {
    request: ["Ask for control", "request"],
    withdraw: ["Do not ask any more", "release"],
    release: ["Let go of control", "release"],
    take: ["Take control", "take"],
};


class Panel {
    #panel;
    #session = null;
    #said;
    #list;
    #tools;
    #error;

    constructor(stage) {
        this.#said = document.getElementById("people-said");
        this.#panel = stage.addPanel({
            id: "people", icon: ICON, title: "People", order: 20,
            build: (element) => this.#build(element),
        });
    }

    #build(element) {
        this.#list = el("ul", {class: "persons"});
        this.#tools = el("div", {class: "persons-tools"});
        this.#error = el("div", {class: "error", role: "alert",
                                 hidden: true});
        element.append(this.#list, this.#tools, this.#error);
    }

    /** @param {import("./rs-client.js").RsSession} session */
    watch(session) {
        this.#session = session;
        fillError(this.#error, null);

        for (const type of ["control", "peers"]) {
            session.addEventListener(type, () => {
                if (this.#session === session) {
                    this.#fill();
                }
            });
        }

        session.addEventListener("control",
                                 () => fillError(this.#error, null));
        session.addEventListener("notice", (ev) => {
            if (this.#session === session && ANSWERS.has(ev.detail.code)) {
                fillError(this.#error, ev.detail);
                this.#panel.open();
            }
        });

        this.#fill();
    }

    end() {
        this.#session = null;
        setText(this.#said, "");
    }

    /* a press whose button is drawn anew leaves the focus in the panel */
    #fill() {
        const now = peopleOf(this.#session);
        const had = this.#panel.element.contains(document.activeElement)
                    ? document.activeElement.dataset.key : undefined;

        this.#list.replaceChildren(...now.people.map((p) => this.#row(p)));
        this.#tools.replaceChildren(...now.mine.map((key) => this.#button(
            key, MINE[key][0], MINE[key][1])));

        if (now.lock !== null) {
            this.#tools.append(this.#button("lock", now.lock
                                            ? "Lock control"
                                            : "Unlock control",
                                            now.lock ? "lock" : "unlock"));
        }

        if (now.locked) {
            this.#tools.append(el("p", {class: "note"},
                                  "Control is locked: it stays where it is "
                                  + "until it is given or unlocked."));
        }

        setText(this.#said, presenceWords(now.people));
        this.#panel.badge(now.people.some((p) => p.asked > 0 && !p.you)
                          ? "!" : String(now.people.length));

        if (had !== undefined) {
            (this.#panel.element.querySelector(`[data-key="${had}"]`)
             ?? this.#panel.element.querySelector("button")
             ?? this.#panel.button).focus();
        }
    }

    #row(person) {
        return el("li", {dataset: {id: person.id, role: person.role,
                                   holds: String(person.holds)}},
                  el("b", {}, person.name),
                  el("small", {}, personWords(person)),
                  person.give
                  ? this.#button(`give-${person.id}`,
                                 person.asked > 0 ? "Give control"
                                                  : "Give", "grant",
                                 person.id, `Give control to ${person.name}`)
                  : null);
    }

    #button(key, label, op, to, title = label) {
        return el("button", {type: "button", class: "quiet",
                             dataset: {key, op}, title,
                             "aria-label": title, onclick: () => {
            fillError(this.#error, null);
            this.#session.askControl(op, to);
        }}, label);
    }

}


/** @param {import("./pages/session.js").SessionPage} page */
export function installPeople(page) {
    const panel = new Panel(page.stage);

    page.addEventListener("peer", (ev) => panel.watch(ev.detail.session));
    page.addEventListener("end", () => panel.end());
}
