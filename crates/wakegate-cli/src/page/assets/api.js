// Requests to the device this page came from, and to nothing else.

const KEPT = "wakegate-token";

/** The session has ended, or there is none. */
export class NoSession extends Error {}

/** The server did not do it, and says why. */
export class Refused extends Error {
  constructor(status, why) {
    super(why);
    this.status = status;
  }
}

// The token is this tab's own: the cookie alone opens nothing.
let token = sessionStorage.getItem(KEPT);

export function hasToken() {
  return token !== null;
}

export function keepToken(value) {
  token = value;
  if (value === null) sessionStorage.removeItem(KEPT);
  else sessionStorage.setItem(KEPT, value);
}

async function send(path, body) {
  const headers = {};
  if (token !== null) headers["X-Wakegate-Token"] = token;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const response = await fetch(path, {
    method: body === undefined ? "GET" : "POST",
    body: body === undefined ? undefined : JSON.stringify(body),
    headers,
    cache: "no-store",
    credentials: "same-origin",
    redirect: "error",
    referrerPolicy: "no-referrer",
  });
  if (response.status === 401) throw new NoSession();
  if (!response.ok) {
    const why = await response.json().then((json) => json.error).catch(() => null);
    throw new Refused(response.status, why ?? `the device answered ${response.status}`);
  }
  return response;
}

export const get = async (path) => (await send(path)).json();
export const post = async (path, body = {}) => (await send(path, body)).json();
export const bytes = async (path) => new Uint8Array(await (await send(path)).arrayBuffer());
