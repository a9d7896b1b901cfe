
/*
 * Copyright (C) rs-gateway contributors
 *
 * The panel of files: what goes to the device and comes from it, with a bar
 * for each, and what the device's folder has.  Files may be dropped on it, or
 * on the picture.
 */

import { el, icon, setText } from "./rs-dom.js";
import { RsFiles } from "./rs-files.js";
import { byteWords, fileErrorWords, transferWords } from "./rs-words.js";


const ICONS = {
    files: "M4 6a2 2 0 0 1 2-2h4l2 3h6a2 2 0 0 1 2 2v9a2 2 0 0 1-2 2H6a2 2 0"
           + " 0 1-2-2zM12 10v7M9 14l3 3 3-3",
    up: "M12 19V6M6 12l6-6 6 6",
    down: "M12 5v13M6 12l6 6 6-6",
    pause: "M9 6v12M15 6v12",
    resume: "M8 5l11 7-11 7z",
    cancel: "M6 6l12 12M18 6L6 18",
    again: "M20 11a8 8 0 1 0-2.3 6.3M20 5v6h-6",
};

const REVOKE_MS = 60000;


function hasFiles(ev) {
    return ev.dataTransfer?.types.includes("Files") === true;
}


class FilesView {
    #page;
    #panel;
    #files = null;          /* RsFiles of the session of now */
    #run = null;
    #rows = new Map();      /* Transfer -> its row */
    #last = "";             /* of the list: the name that more is behind */
    #listing = 0;           /* an answer to an older wish counts no more */

    /* elements */
    #choice;
    #where;
    #up;
    #under;
    #list;
    #listNote;
    #more;
    #down;

    constructor(page) {
        this.#page = page;
        this.#panel = page.stage.addPanel({
            id: "files", icon: ICONS.files, title: "Files", label: "Files",
            order: 40, hidden: true, opened: () => this.#refresh(),
            build: (element) => this.#build(element),
        });

        page.addEventListener("peer", (ev) => this.#begin(ev.detail));
        page.addEventListener("end", () => this.#end());
        this.#takeDrops(document.getElementById("stage"));
    }

    #build(element) {
        this.#choice = el("input", {
            type: "file", multiple: true, class: "visually-hidden",
            id: "files-choice", tabindex: "-1", "aria-hidden": "true",
            onchange: () => {
                this.#send(this.#choice.files);
                this.#choice.value = "";
            }});
        this.#where = el("p", {class: "note", id: "files-where"});
        this.#up = el("section", {class: "files-up", hidden: true,
                                  "aria-label": "To the device"},
                      el("p", {}, "Drop files here or on the picture."),
                      el("button", {type: "button", class: "primary",
                                    id: "files-choose",
                                    onclick: () => this.#choice.click()},
                         icon(ICONS.up), "Send files…"),
                      this.#choice, this.#where);
        this.#under = el("ul", {class: "files-under", id: "files-under",
                                "aria-label": "Under way"});
        this.#list = el("ul", {class: "files-list", id: "files-list",
                               "aria-label": "Files on the device"});
        this.#listNote = el("p", {class: "note", id: "files-note",
                                  role: "status"});
        this.#more = el("button", {type: "button", class: "more",
                                   id: "files-more", hidden: true,
                                   onclick: () => this.#fill(this.#last)},
                        "More");
        this.#down = el("section", {class: "files-down", hidden: true,
                                    "aria-labelledby": "files-from"},
                        el("header", {},
                           el("h3", {id: "files-from"}, "On the device"),
                           el("button", {type: "button",
                                         class: "quiet square",
                                         id: "files-again",
                                         title: "Look again",
                                         "aria-label": "Look again",
                                         onclick: () => this.#refresh()},
                              icon(ICONS.again))),
                        this.#listNote, this.#list, this.#more);

        element.append(this.#up, this.#under, this.#down);
    }

    #takeDrops(target) {
        let over = 0;

        const mark = (on) => {
            target.classList.toggle("files-over", on);
        };

        target.addEventListener("dragenter", (ev) => {
            if (hasFiles(ev) && this.#takes) {
                ev.preventDefault();
                over++;
                mark(true);
            }
        });

        target.addEventListener("dragleave", (ev) => {
            if (hasFiles(ev) && over > 0 && --over === 0) {
                mark(false);
            }
        });

        /* a file that is not taken is not opened in the session's place */
        target.addEventListener("dragover", (ev) => {
            if (hasFiles(ev)) {
                ev.preventDefault();
                ev.dataTransfer.dropEffect = this.#takes ? "copy" : "none";
            }
        });

        target.addEventListener("drop", (ev) => {
            if (hasFiles(ev)) {
                ev.preventDefault();
                over = 0;
                mark(false);
                this.#send(ev.dataTransfer.files);
            }
        });
    }

    /* the session */

    /* a place in it that was lost and taken anew is another peer */
    #begin(run) {
        this.#end();
        this.#run = run;
        this.#files = new RsFiles({channel: run.peer.channel("rs-files")});
        this.#page.files = this.#files;

        const on = (type, f) => this.#files.addEventListener(type,
            (ev) => f(ev.detail));

        on("state", (state) => this.#setState(state));
        on("change", (t) => this.#change(t));
        on("removed", (t) => {
            this.#rows.get(t)?.row.remove();
            this.#rows.delete(t);
        });
    }

    #end() {
        this.#files?.close();
        this.#files = null;
        this.#page.files = null;
        this.#run = null;
        this.#listing++;
        this.#rows.clear();
        this.#under.replaceChildren();
        this.#list.replaceChildren();
        this.#more.hidden = true;
        setText(this.#listNote, "");
        this.#panel.badge("");
        this.#panel.button.hidden = true;
        this.#panel.close();
    }

    get #takes() {
        return this.#files?.state.to_device === true;
    }

    #setState({open, to_device, from_device, max, folder}) {
        this.#panel.button.hidden = false;
        this.#panel.element.dataset.open = String(open);
        this.#up.hidden = !to_device;
        this.#down.hidden = !from_device;
        setText(this.#where, `They arrive in “${folder}” on the device, `
                             + `${byteWords(max)} each at most.`);

        if (open && this.#panel.isOpen()) {
            this.#refresh();
        }
    }

    #send(files) {
        if (this.#takes && files.length > 0) {
            this.#files.send(files);
            this.#panel.open();
        }
    }

    /* what the device has */

    #refresh() {
        if (this.#files?.state.from_device) {
            this.#fill("");
        }
    }

    async #fill(after) {
        const mine = ++this.#listing;

        try {
            const {files, more} = await this.#files.list(after);

            if (mine !== this.#listing) {
                return;
            }

            if (after === "") {
                this.#list.replaceChildren();
            }

            this.#list.append(...files.map((file) => this.#entry(file)));
            this.#last = files.at(-1)?.name ?? after;
            this.#more.hidden = !more || files.length === 0;
            setText(this.#listNote, this.#list.childElementCount === 0
                                    ? "There are no files." : "");

        } catch (e) {
            if (mine === this.#listing) {
                setText(this.#listNote, `The list did not come: ${e.message}`);
            }
        }
    }

    #entry(file) {
        const title = `Get ${file.name}`;

        return el("li", {dataset: {name: file.name}},
                  el("span", {class: "name", title: file.name}, file.name),
                  el("span", {class: "note"}, byteWords(file.size)),
                  el("button", {type: "button", class: "quiet square",
                                title, "aria-label": title,
                                onclick: () => this.#files.fetch(file)},
                     icon(ICONS.down)));
    }

    /* what is under way */

    #change(t) {
        let entry = this.#rows.get(t);

        if (entry === undefined) {
            entry = this.#row(t);
            this.#rows.set(t, entry);
            this.#under.prepend(entry.row);
        }

        const before = entry.row.dataset.state;

        entry.row.dataset.state = t.state;
        entry.bar.max = Math.max(t.size, 1);
        entry.bar.value = t.state === "done" ? entry.bar.max : t.done;
        setText(entry.words, t.state === "failed"
                             ? fileErrorWords(t.error) : transferWords(t));
        entry.pause.hidden = !["waiting", "checking",
                               "running"].includes(t.state);
        entry.resume.hidden = t.state !== "paused" && t.state !== "failed";
        entry.cancel.hidden = t.over || t.state === "finishing";
        entry.save.hidden = t.blob === null;
        entry.remove.hidden = !t.over;

        const n = [...this.#rows.keys()].filter((one) => !one.over).length;

        this.#panel.badge(n === 0 ? "" : String(n));

        if (t.state === "done" && before !== "done") {
            if (t.blob !== null) {
                this.#save(t);

            } else if (this.#panel.isOpen()) {
                this.#refresh();
            }
        }
    }

    #row(t) {
        const act = (what, name, path, f) => el("button", {
            type: "button", class: "quiet square", title: `${what} ${t.name}`,
            "aria-label": `${what} ${t.name}`, dataset: {act: name},
            onclick: f}, icon(path));
        const entry = {
            bar: el("progress", {"aria-label": t.name}),
            words: el("span", {class: "note words"}),
            pause: act("Pause", "pause", ICONS.pause,
                       () => this.#files.pause(t)),
            resume: act("Go on with", "resume", ICONS.resume,
                        () => this.#files.resume(t)),
            cancel: act("Cancel", "cancel", ICONS.cancel,
                        () => this.#files.cancel(t)),
            save: act("Save", "save", ICONS.down, () => this.#save(t)),
            remove: act("Remove from the list:", "remove", ICONS.cancel,
                        () => this.#files.remove(t)),
        };

        entry.row = el("li", {dataset: {name: t.name,
                                        direction: t.direction}},
                       icon(t.direction === "up" ? ICONS.up : ICONS.down),
                       el("span", {class: "name", title: t.name}, t.name),
                       el("span", {class: "acts"}, entry.pause, entry.resume,
                          entry.save, entry.cancel, entry.remove),
                       entry.bar, entry.words);

        return entry;
    }

    #save(t) {
        const url = URL.createObjectURL(t.blob);

        el("a", {href: url, download: t.name}).click();
        setTimeout(() => URL.revokeObjectURL(url), REVOKE_MS);
    }
}


/** For features.js. */
export function installFiles(page) {
    new FilesView(page);
}
