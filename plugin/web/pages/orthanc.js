// SPDX-License-Identifier: AGPL-3.0-or-later
// Asking Orthanc. All addresses are relative, so the page works behind a proxy with a prefix.

// Not to the page's own address: with a name and password in it (user:word@host) browsers
// refuse to fetch what is relative to it. The origin has neither.
const ROOT = new URL("../..", location.origin + location.pathname).href.replace(/\/$/, "");

export const address = (path) => ROOT + path;

export class AnswerError extends Error {
  constructor(status, code, message) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

// The JSON of an answer, with `pending` = seconds to wait when the answer is still to come.
export async function ask(path, options = {}) {
  let response;
  try {
    // A page of another origin can't send this without being asked first.
    const json = options.method === "POST" ? { "Content-Type": "application/json" } : {};
    const headers = { ...json, ...options.headers };
    response = await fetch(address(path), { credentials: "same-origin", ...options, headers });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new AnswerError(0, "unreachable", "Orthanc does not answer.");
  }
  const content = await response.json().catch(() => ({}));
  if (!response.ok) {
    const message = content.message ?? `Orthanc answered ${response.status}.`;
    throw new AnswerError(response.status, content.code ?? "error", message);
  }
  const pending = response.status === 202 ? Number(response.headers.get("Retry-After")) || 2 : 0;
  return { content, pending };
}

export async function studyOf(kind, identifier) {
  if (kind === "study") return identifier;
  const folder = kind === "series" ? "series" : "instances";
  const { content } = await ask(`/${folder}/${identifier}/study`);
  return content.ID;
}

// A picture that is kept in memory only, ready to be drawn.
export async function bitmap(path) {
  const response = await fetch(address(path), { credentials: "same-origin" });
  if (!response.ok) {
    const content = await response.json().catch(() => ({}));
    throw new AnswerError(response.status, content.code ?? "error", content.message ?? `Orthanc answered ${response.status}.`);
  }
  return createImageBitmap(await response.blob());
}
