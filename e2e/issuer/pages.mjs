
/*
 * Copyright (C) rs-gateway contributors
 *
 * What people see of the test issuer.
 */


function escape(text) {
    return String(text).replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
}


function page(title, body) {
    return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${escape(title)}</title>
<style>
body { font: 16px/1.5 sans-serif; max-width: 24em; margin: 4em auto; }
label, input, button { display: block; width: 100%; font: inherit;
    box-sizing: border-box; margin-top: .5em; padding: .3em; }
</style>
</head>
<body>
<h1>${escape(title)}</h1>
${body}
</body>
</html>
`;
}


/** The form that asks who it is, for one client's sign-in. */
export function loginPage({client, failed}) {
    return page("Sign in", `<p>to ${escape(client)}, at the test issuer</p>
${failed ? "<p id=\"failed\" role=\"alert\">Wrong name or password.</p>" : ""}
<form method="post">
<label for="login">Name</label>
<input id="login" name="login" autocomplete="username" autofocus required>
<label for="password">Password</label>
<input id="password" name="password" type="password"
 autocomplete="current-password" required>
<button id="submit">Sign in</button>
</form>`);
}


/** form: oidc-provider's, with the id op.logoutForm and its secret. */
export function signOutPage(form) {
    return page("Sign out", `${form}
<button id="submit" form="op.logoutForm" name="logout" value="yes" autofocus>
Sign out</button>
<script>document.getElementById("submit").click();</script>`);
}


export function signedOutPage() {
    return page("Signed out", "<p>You are signed out.</p>");
}
