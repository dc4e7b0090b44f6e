// The server's addresses. Errors come as the server words them.

export class Refused extends Error {
  constructor(message, code = "", field = "") {
    super(message);
    this.code = code;
    this.field = field;
  }
}

async function ask(address, options) {
  let response;
  try {
    response = await fetch(address, { credentials: "same-origin", ...options });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused("The server does not answer.", "server_unreachable");
  }
  if (response.ok) return response;
  let said;
  try {
    said = (await response.json()).error;
  } catch {
    said = { code: "", message: `The server refused this (${response.status}).` };
  }
  throw new Refused(said.message, said.code, said.field);
}

export const get = async (address, signal) => (await ask(address, { signal })).json();

export const post = async (address, body = {}) =>
  (await ask(address, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) })).json();

// A loop's samples: one Float32Array a channel, as many frames as the loop has, nothing before and nothing after.
export async function getSound(id, wanted) {
  const asked = new URLSearchParams(Object.entries(wanted).filter(([, value]) => value !== undefined && value !== null));
  const response = await ask(`/api/loops/${id}/audio?${asked}`);
  const data = new Float32Array(await response.arrayBuffer());
  const number = (name) => Number(response.headers.get(name));
  const frames = number("X-Frames");
  const channels = Array.from({ length: number("X-Channels") }, (_, place) => data.subarray(place * frames, (place + 1) * frames));
  return { channels, frames, rate: number("X-Rate") };
}
