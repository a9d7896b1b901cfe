
/*
 * Copyright (C) rs-gateway contributors
 *
 * What a session can do besides picture and input.  Each feature installs
 * itself once, when the page is loaded: install(page) gets the SessionPage,
 * adds its tools to page.stage and listens to the page's events.
 */

import { installChat } from "./rs-chat-panel.js";
import { installClipboard } from "./rs-clipboard-panel.js";
import { installDiagnosis } from "./rs-diagnose.js";
import { installFiles } from "./rs-files-view.js";
import { installHelp } from "./rs-help-view.js";
import { installPage } from "./rs-page-bar.js";
import { installPeople } from "./rs-people.js";
import { installScreen } from "./rs-screen.js";


/** @type {Array<(page: import("./pages/session.js").SessionPage) => void>} */
export const FEATURES = [
    installChat,
    installClipboard,
    installDiagnosis,
    installFiles,
    installHelp,
    installPage,
    installPeople,
    installScreen,
];
