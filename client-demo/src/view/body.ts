import type { Message } from "../wire";

export interface Piece {
  text: string;
  /** Where it leads, if it is a link. */
  href?: string;
}

/** What a message says: its `text`, or whatever else another client has sent, as JSON. */
export function textOf({ body }: Pick<Message, "body">): { text: string; isPlain: boolean } {
  return typeof body.text === "string"
    ? { text: body.text, isPlain: true }
    : { text: JSON.stringify(body), isPlain: false };
}

/** How many characters of a message are enough to know which one is meant. */
const EXCERPT = 40;

/** The beginning of a text, in one line. */
export function excerpt(text: string): string {
  const characters = [...text.replace(/\s+/gu, " ").trim()];
  return characters.length > EXCERPT ? `${characters.slice(0, EXCERPT).join("").trimEnd()}…` : characters.join("");
}

const LINK = /https?:\/\/[^\s<>"]+/giu;
/** What rather ends the sentence than the address. */
const TRAILING = /[.,:;!?'")\]}]+$/u;

/** Text with its web addresses as links. */
export function pieces(text: string): Piece[] {
  const found: Piece[] = [];
  let end = 0;
  for (const match of text.matchAll(LINK)) {
    const href = match[0].replace(TRAILING, "");
    if (match.index > end) found.push({ text: text.slice(end, match.index) });
    found.push({ text: href, href });
    end = match.index + href.length;
  }
  if (end < text.length) found.push({ text: text.slice(end) });
  return found;
}
